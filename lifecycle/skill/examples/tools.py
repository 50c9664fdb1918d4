"""Tools of your own for the agent, served from your process by an MCP server.

Run it: python -m lifecycle.skill.examples.tools DIR
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

from claude_agent_sdk import create_sdk_mcp_server, tool

from lifecycle import SessionManager
from lifecycle.agent.options import AgentSettings
from lifecycle.agent.sdk_agent import SdkAgent


@tool("lookup", "Look up a customer's wish by its number.", {"number": int})
async def lookup(arguments: dict[str, Any]) -> dict[str, Any]:
    print(f"the agent asks for wish {arguments['number']}")
    return {"content": [{"type": "text", "text": f"Wish {arguments['number']}: make it blue."}]}


async def main(project_dir: Path) -> None:
    settings = AgentSettings(
        mcp_servers={"wishes": create_sdk_mcp_server("wishes", tools=[lookup])},
        # Exactly these tools of the server pass the gate; every other one is refused.
        host_tools=("mcp__wishes__lookup",),
    )
    async with SessionManager(project_dir, agent=SdkAgent(settings, project_dir), continue_delay=1) as session:
        print((await session.run_until_shutdown()).stop_reason)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
