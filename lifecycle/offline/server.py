"""The server: accepts connections on loopback, records every request, asks the scenario, plays its reply.

Owns the listening socket, the routes and the record of what came. Knows no conversation.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lifecycle.errors import LifecycleError
from lifecycle.offline.exchange import Exchange, Incoming, Unsendable, serve_connection
from lifecycle.offline.performing import perform
from lifecycle.offline.replies import Drop, Fault, Malformed, Reply, Scenario, Stall, Turn
from lifecycle.offline.request import ModelRequest, redacted
from lifecycle.offline.request_log import RequestLog
from lifecycle.offline.thread import LoopThread

__all__ = ["Contact", "ModelServer", "ScenarioFailed"]

HOST = "127.0.0.1"
REPLIES = (Turn, Fault, Stall, Drop, Malformed)


class ScenarioFailed(LifecycleError):
    """The scenario raised, or returned no reply. Its author must act.

    The agent got a 400 that says so; the server raises this when it closes, unless another exception is
    on its way.

    Attributes:
        number: which request it was asked about.
    """

    def __init__(self, number: int, problem: str) -> None:
        self.number = number
        super().__init__(f"the scenario gave no reply to request {number}: {problem}")


@dataclass(frozen=True, slots=True)
class Contact:
    """Anything that reached the server: `at` is `time.monotonic()`."""

    at: float
    method: str
    path: str


class ModelServer:
    """Serves a scenario as a Messages API on 127.0.0.1; a context manager, `async with` or plain `with`.

    Entered with `with`, it runs in a thread of its own and the scenario is called there.

    Attributes:
        requests: every request for a message so far, oldest first.
        contacts: every HTTP request of any kind so far, oldest first.
    """

    def __init__(
        self, scenario: Scenario, *, port: int = 0, log: Path | None = None, log_bodies: bool = False
    ) -> None:
        """Nothing listens before the server is entered.

        Args:
            scenario: decides each reply.
            port: 0 takes a free one.
            log: append a JSON line for each request to this file, before it is answered; see `request_log`.
            log_bodies: put the requests' bodies into the log too.
        """
        self._scenario = scenario
        self._port = port
        self._log = None if log is None else RequestLog(log, bodies=log_bodies)
        self._requests: list[ModelRequest] = []
        self._contacts: list[Contact] = []
        self._failure: ScenarioFailed | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._thread: LoopThread | None = None

    @property
    def url(self) -> str:
        """The base URL, for ANTHROPIC_BASE_URL. Known once the server is entered."""
        return f"http://{HOST}:{self._port}"

    @property
    def requests(self) -> tuple[ModelRequest, ...]:
        """Every request for a message so far, oldest first."""
        return tuple(self._requests)

    @property
    def contacts(self) -> tuple[Contact, ...]:
        """Every HTTP request of any kind so far, oldest first."""
        return tuple(self._contacts)

    def environment(self) -> dict[str, str]:
        """Variables that turn the bundled CLI to this server and to nothing else."""
        return {
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": "sk-ant-offline",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "NO_PROXY": f"{HOST},localhost",
            "no_proxy": f"{HOST},localhost",
        }

    async def wait_for(
        self, condition: Callable[[ModelRequest], bool], timeout_s: float = 30
    ) -> ModelRequest:
        """The first request, past or to come, for which `condition` holds.

        Raises:
            TimeoutError: none came in time.
        """
        async with asyncio.timeout(timeout_s):
            seen = 0
            while True:
                for request in self._requests[seen:]:
                    seen += 1
                    if condition(request):
                        return request
                await asyncio.sleep(0.005)  # also right when the server runs in another thread's loop

    async def start(self) -> None:
        """Listen. `async with` calls it."""
        self._server = await asyncio.start_server(self._accept, HOST, self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def aclose(self) -> None:
        """Stop listening and break every connection. `async with` calls it."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
        self._raise_failure(error)

    def __enter__(self) -> Self:
        self._thread = LoopThread("lifecycle-offline")
        try:
            self._thread.run(self.start())
        except BaseException:
            self._thread.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._thread.run(self.aclose())
            self._thread.close()
        self._raise_failure(error)

    def _raise_failure(self, under_way: BaseException | None) -> None:
        if self._failure is not None and under_way is None:
            raise self._failure

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await serve_connection(reader, writer, self._answer)
        except asyncio.CancelledError:
            return  # by aclose, which waits for this task's end and for nothing else
        finally:
            self._connections.discard(task)

    async def _answer(self, incoming: Incoming, exchange: Exchange) -> None:
        at = time.monotonic()
        self._contacts.append(Contact(at, incoming.method, incoming.path))
        route = incoming.path.partition("?")[0]
        if incoming.method == "POST" and route == "/v1/messages":
            await self._message(self._record(incoming, at), exchange)
        elif incoming.method == "POST" and route == "/v1/messages/count_tokens":
            await exchange.respond(
                200, "application/json", json.dumps({"input_tokens": len(incoming.body) // 4})
            )
        elif incoming.method == "HEAD":
            await exchange.start(200, {"content-length": "0"})
            await exchange.finish()
        else:
            await exchange.respond(200, "application/json", "{}")

    def _record(self, incoming: Incoming, at: float) -> ModelRequest:
        request = ModelRequest(
            number=len(self._requests) + 1,
            at=at,
            received_at=datetime.now(UTC),
            path=incoming.path,
            headers=redacted(incoming.headers),
            body=_object(incoming.body),
        )
        self._requests.append(request)
        if self._log is not None:
            self._log.append(request)
        return request

    async def _message(self, request: ModelRequest, exchange: Exchange) -> None:
        try:
            reply = await self._decide(request)
        except ScenarioFailed as failure:
            self._failure = self._failure or failure
            reply = Fault(400, "invalid_request_error", str(failure))
        try:
            await perform(reply, request, exchange)
        except (Unsendable, TypeError, ValueError) as error:
            self._failure = self._failure or ScenarioFailed(
                request.number, f"{reply!r} cannot be sent: {error}"
            )
            exchange.reset()

    async def _decide(self, request: ModelRequest) -> Reply:
        try:
            reply = self._scenario(request)
            if inspect.isawaitable(reply):
                reply = await reply
        except Exception as error:  # a scenario is anybody's code
            raise ScenarioFailed(request.number, f"{type(error).__name__}: {error}") from error
        if not isinstance(reply, REPLIES):
            raise ScenarioFailed(request.number, f"{reply!r} is no reply")
        return reply


def _object(body: bytes) -> dict[str, Any]:
    """The body as a JSON object; {} when it is anything else, so that even nonsense is recorded."""
    try:
        decoded = json.loads(body)
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}
