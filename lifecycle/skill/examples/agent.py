"""An agent of your own in place of claude-agent-sdk: anything that works on the directory and says how it ended.

This one needs no model: it ticks the next feature off. The manager does the rest, crashes included.

Run it: python -m lifecycle.skill.examples.agent DIR
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from lifecycle import SessionManager, SessionType
from lifecycle.ports import AgentTask, SessionLog, StopFlag
from lifecycle.processes import ProcessIdentity
from states.facts import Outcome
from states.vocabulary import Cause, SessionId


class TickingAgent:
    """Implements `lifecycle.ports.Agent`."""

    def __init__(self, project_dir: Path) -> None:
        self._list = project_dir / "feature_list.json"

    async def run(self, task: AgentTask, log: SessionLog, stop: StopFlag) -> Outcome:
        await log.agent_started(None)  # no process of its own, so none to end after a crash
        await log.prompted()  # from here on a crash resumes this session instead of beginning it anew
        if stop.is_set():
            return Outcome(Cause.STOP, "asked to stop")
        if task.type is SessionType.INIT:
            features = [{"description": f"step {number}", "passes": False} for number in (1, 2)]
        else:
            features = json.loads(self._list.read_text())
            next(each for each in features if not each["passes"])["passes"] = True
        self._list.write_text(json.dumps(features))
        return Outcome(Cause.END_TURN, "one step done")

    async def reap(self, processes: Sequence[ProcessIdentity], sessions: Sequence[SessionId]) -> int:
        return 0


async def main(project_dir: Path) -> None:
    async with SessionManager(project_dir, agent=TickingAgent(project_dir), continue_delay=0) as session:
        result = await session.run_until_shutdown()
    print(result.stop_reason, result.features)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
