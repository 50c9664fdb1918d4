"""The command policy in a program of your own that uses the Claude Agent SDK, without the rest of the product.

Run it: python -m lifecycle.skill.examples.fence DIR
"""

import asyncio
import sys
from pathlib import Path

from claude_agent_sdk import ClaudeAgentOptions, HookMatcher, ResultMessage, query

from lifecycle.guard import Allowlist, AuditLog, create_bash_security_hook, read_audit, validate_command


async def main(project_dir: Path) -> None:
    allowlist = Allowlist("minimal")
    allowlist.add("echo", "jq")
    allowlist.remove("pkill")
    print(validate_command("echo $(rm -rf src)", allowlist, project_dir).reason)

    log = AuditLog(project_dir.parent / "audit.jsonl")  # where the agent cannot write it
    hook = create_bash_security_hook(allowlist, project_dir, audit=log.append)
    options = ClaudeAgentOptions(
        cwd=project_dir,
        tools=["Bash"],
        allowed_tools=["Bash"],
        # Without on_failure="block" the SDK lets a command run when its hook fails.
        hooks={"PreToolUse": [HookMatcher(matcher="Bash", hooks=[hook], on_failure="block")]},
        setting_sources=[],
    )
    async for message in query(prompt="Tidy up.", options=options):
        if isinstance(message, ResultMessage):
            print(message.result)
    for decision in read_audit(log.path):
        print("allowed" if decision.allowed else "refused", decision.input["command"], decision.rule)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]).absolute()))
