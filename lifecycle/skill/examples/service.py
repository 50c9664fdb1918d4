"""A web service that starts, watches and stops lifecycles. Starlette and uvicorn come with claude-agent-sdk.

Run it: python -m lifecycle.skill.examples.service DIR [PORT]

- POST /projects/NAME          start, or go on; the body, if any, is the specification
- GET  /projects/NAME          where it stands
- GET  /projects/NAME/events   what happens, as server-sent events, from the first one on
- POST /projects/NAME/stop     save and suspend
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

from starlette.applications import Starlette
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from lifecycle import LifecycleError, SessionManager
from lifecycle.status import status_of


class Name(StringConvertor):
    """A directory's name that leads nowhere else."""

    regex = r"[A-Za-z0-9][A-Za-z0-9_-]*"


register_url_convertor("name", Name())


class Projects:
    """The lifecycles of the directories below one directory."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._running: dict[str, tuple[SessionManager, asyncio.Task[None]]] = {}

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self.close()

    async def close(self) -> None:
        """Save and suspend whatever runs."""
        running = list(self._running.values())
        for manager, _ in running:
            manager.stop("the service")
        await asyncio.gather(*(task for _, task in running), return_exceptions=True)

    async def start(self, request: Request) -> Response:
        name = request.path_params["name"]
        spec = (await request.body()).decode() or None
        if name in self._running:
            return JSONResponse({"problem": "it runs already"}, 409)
        project = self._root / name
        project.mkdir(exist_ok=True)
        manager = SessionManager(project, spec=spec, continue_delay=1)
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._drive(name, manager, opened))
        self._running[name] = (manager, task)
        try:
            await opened
        except LifecycleError as error:
            return JSONResponse({"problem": str(error)}, 409)
        return JSONResponse((await status_of(project)).to_json(), 202)

    async def _drive(self, name: str, manager: SessionManager, opened: asyncio.Future[None]) -> None:
        try:
            async with manager:
                opened.set_result(None)
                await manager.run_until_shutdown()
        except LifecycleError as error:
            if not opened.done():
                opened.set_exception(error)
        finally:
            del self._running[name]

    async def status(self, request: Request) -> Response:
        name = request.path_params["name"]  # a look that takes nothing, whoever runs it
        try:
            return JSONResponse((await status_of(self._root / name)).to_json())
        except LifecycleError as error:
            return JSONResponse({"problem": str(error)}, 404)

    async def events(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._running:
            return JSONResponse({"problem": "it does not run"}, 404)
        return StreamingResponse(_stream(self._running[name][0]), media_type="text/event-stream")

    async def stop(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name in self._running:
            manager, task = self._running[name]
            manager.stop("a request")
            await asyncio.wait({task})
        return await self.status(request)


async def _stream(manager: SessionManager) -> AsyncIterator[str]:
    async for event in manager.events():
        yield f"event: {event.name}\ndata: {json.dumps(asdict(event), default=str)}\n\n"


def application(root: Path) -> Starlette:
    projects = Projects(root)
    return Starlette(
        routes=[
            Route("/projects/{name:name}", projects.start, methods=["POST"]),
            Route("/projects/{name:name}", projects.status, methods=["GET"]),
            Route("/projects/{name:name}/events", projects.events, methods=["GET"]),
            Route("/projects/{name:name}/stop", projects.stop, methods=["POST"]),
        ],
        lifespan=projects.lifespan,
    )


if __name__ == "__main__":
    import uvicorn

    # For this machine only: whoever can reach it can spend your money.
    uvicorn.run(application(Path(sys.argv[1])), host="127.0.0.1", port=int(sys.argv[2]) if len(sys.argv) > 2 else 8000)
