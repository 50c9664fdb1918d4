"""Prompts of your own. For other words, files are enough: the setting `prompts_dir`. For other rules, a class.

Run it: python -m lifecycle.skill.examples.prompts DIR
"""

import asyncio
import sys

from lifecycle import SessionManager, SessionType
from lifecycle.agent.prompt_library import PromptLibrary
from lifecycle.ports import Reading


class HousePrompts:
    """The built-in prompts, with the house's rules behind them."""

    def __init__(self, rules: str) -> None:
        self._library = PromptLibrary()
        self._rules = rules

    def session_prompt(self, session_type: SessionType, reading: Reading, explicit: str | None) -> str:
        prompt = self._library.session_prompt(session_type, reading, explicit)
        return prompt if session_type is SessionType.INIT else f"{prompt}\n\n{self._rules}"


async def main(project_dir: str) -> None:
    prompts = HousePrompts("House rule: every public function has a test.")
    async with SessionManager(project_dir, prompts=prompts, continue_delay=1) as session:
        print((await session.run_until_shutdown()).stop_reason)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
