"""One HTTP/1.1 connection, byte by byte: requests in, and responses that may stall, break or never end.

Owns sockets and framing (h11 keeps the protocol's state). Knows nothing of models and replies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import h11

__all__ = ["Exchange", "Gone", "Incoming", "Unsendable", "serve_connection"]

READ_BYTES = 65536
NO_HEADERS: Mapping[str, str] = MappingProxyType({})
BODY_BYTES_MAX = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Incoming:
    """A whole request as it came over the wire; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Unsendable = h11.LocalProtocolError
"""A response that HTTP does not allow: a header with a newline, a status of 7."""


class Gone(Exception):
    """The client hung up, or we reset the connection: nothing more can be said on it."""


class Exchange:
    """The response side of one request. Every method raises `Gone` once the connection is no more."""

    def __init__(
        self, http: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._http = http
        self._reader = reader
        self._writer = writer

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the response's head. Without a content-length the body is chunked."""
        fields = [(name, value) for name, value in headers.items()]
        await self._write(self._http.send(h11.Response(status_code=status, headers=fields)))

    async def send(self, text: str) -> None:
        """Send a piece of the body, at once."""
        await self._write(self._http.send(h11.Data(data=text.encode())))

    async def finish(self) -> None:
        """End the body as the protocol wants it."""
        await self._write(self._http.send(h11.EndOfMessage()))

    async def respond(
        self, status: int, content_type: str, text: str, headers: Mapping[str, str] = NO_HEADERS
    ) -> None:
        """Send a whole response."""
        body = text.encode()
        lengths = {"content-type": content_type, "content-length": str(len(body))}
        await self.start(status, {**headers, **lengths})
        await self.send(text)
        await self.finish()

    async def silence(self, seconds: float | None) -> None:
        """Say nothing for so long, or forever; ends early, with `Gone`, when the client hangs up."""
        try:
            async with asyncio.timeout(seconds):
                # The client has nothing to say before the response is over; what comes is kept for later.
                while received := await self._reader.read(READ_BYTES):
                    self._http.receive_data(received)
        except TimeoutError:
            return
        except ConnectionError as error:
            raise Gone from error
        raise Gone

    def reset(self) -> None:
        """Break the connection without a farewell.

        Raises:
            Gone: always.
        """
        self._writer.transport.abort()
        raise Gone

    async def _write(self, data: bytes | None) -> None:
        if not data:
            return
        try:
            self._writer.write(data)
            await self._writer.drain()
        except ConnectionError as error:
            raise Gone from error


Answer: TypeAlias = Callable[[Incoming, Exchange], Awaitable[None]]


async def serve_connection(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer
) -> None:
    """Serve a connection until either side ends it. `answer` sends one whole response, or resets."""
    http = h11.Connection(h11.SERVER)
    exchange = Exchange(http, reader, writer)
    try:
        while (incoming := await _next_request(http, reader, writer)) is not None:
            await answer(incoming, exchange)
            if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
                return
            http.start_next_cycle()
    except (Gone, ConnectionError):
        return
    except asyncio.CancelledError:
        writer.transport.abort()  # a client that reads nothing must not hold up the server's end
        raise
    except h11.RemoteProtocolError as error:
        await _refuse(http, exchange, error)
    finally:
        await _close(writer)


async def _next_request(
    http: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Incoming | None:
    """Read one request to its end; None when the client has no more."""
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            if http.they_are_waiting_for_100_continue:
                writer.write(http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            http.receive_data(await reader.read(READ_BYTES))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > BODY_BYTES_MAX:
                raise h11.RemoteProtocolError("request body too large", error_status_hint=413)
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
            return Incoming(head.method.decode("latin-1"), head.target.decode("latin-1"), fields, bytes(body))
        else:  # ConnectionClosed, or PAUSED after a client that wants no keep-alive
            return None


async def _refuse(http: h11.Connection, exchange: Exchange, error: h11.RemoteProtocolError) -> None:
    """Tell a client that speaks no HTTP so, when the response has not begun."""
    if http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
        return
    try:
        await exchange.respond(error.error_status_hint, "text/plain", f"{error}\n", {"connection": "close"})
    except Gone:
        return


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        await writer.wait_closed()
    except ConnectionError:
        return
