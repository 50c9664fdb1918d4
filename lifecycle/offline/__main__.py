"""`python -m lifecycle.offline`: a scripted Messages API in a process of its own.

Prints one JSON line, `{"url": ...}`, when it listens; serves until SIGTERM or SIGINT, and then exits 0.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from lifecycle.offline.replies import Scenario
from lifecycle.offline.scenarios import load
from lifecycle.offline.server import ModelServer, ScenarioFailed


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a scenario; the exit status is 0 after a signal, 2 for wrong use, 1 when the scenario failed."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    try:
        scenario = load(chosen.scenario)
    except ValueError as error:
        parser.error(f"--scenario: {error}")
    try:
        asyncio.run(_serve(scenario, chosen.port, chosen.log, chosen.log_bodies))
    except OSError as error:
        parser.error(str(error))
    except ScenarioFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


async def _serve(scenario: Scenario, port: int, log: Path | None, log_bodies: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with ModelServer(scenario, port=port, log=log, log_bodies=log_bodies) as server:
        print(json.dumps({"url": server.url}), flush=True)
        await stop.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lifecycle.offline",
        description='Serve a scripted Messages API on 127.0.0.1. Prints {"url": ...} on stdout, then serves '
        "until SIGTERM or SIGINT. Set ANTHROPIC_BASE_URL to the url, and ANTHROPIC_API_KEY to anything.",
    )
    parser.add_argument(
        "--scenario", default="demo", metavar="NAME", help="demo, or MODULE:NAME of your own (default: demo)"
    )
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument("--log", type=Path, metavar="FILE", help="append a JSON line for each request")
    parser.add_argument("--log-bodies", action="store_true", help="with the requests' whole bodies")
    return parser


if __name__ == "__main__":
    sys.exit(main())
