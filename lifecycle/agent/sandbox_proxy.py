"""The only way from the sandbox to the network: a proxy that knows the hosts which may be reached.

Owns the list's meaning and the carrying of bytes. It accepts on a socket that lives on the sandbox's own loopback, so
nothing else can use it. TLS stays between the command and the host: whoever may be reached may be told anything.
"""

from __future__ import annotations

import asyncio
import base64
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final
from urllib.parse import unquote, urlsplit

__all__ = ["HostProxy", "is_allowed"]


class HostProxy:
    """Serves CONNECT, and plain requests by absolute URL, for some hosts.

    Args:
        hosts: as in `Confinement.hosts`.
        environment: where a proxy is looked up (HTTPS_PROXY, HTTP_PROXY) that we must go through ourselves.
        refused: told of each host and port that was asked for and is not allowed.
    """

    def __init__(
        self,
        hosts: Sequence[str],
        environment: Mapping[str, str],
        refused: Callable[[str, int], None] = lambda host, port: None,
    ) -> None:
        self._hosts = tuple(hosts)
        self._upstream = _upstream(environment)
        self._near = (environment.get("NO_PROXY") or environment.get("no_proxy") or "").lower().split(",")
        self._refused = refused
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, listening: socket.socket) -> None:
        """Begin to accept on a socket that listens already, and own it from now on."""
        self._server = await asyncio.start_server(self._accepted, sock=listening, limit=HEAD_MAX_BYTES)

    async def close(self) -> None:
        """Stop, whatever is under way."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(HEAD_TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
            line, _, fields = head.partition(b"\r\n")
            method, target, _version = line.decode("latin-1").split(" ", 2)
            if method == "CONNECT":
                await self._tunnel(target, reader, writer)
            else:
                await self._forward(method, target, fields, reader, writer)
        # Whatever was sent, and whatever becomes of either side: the command sees its connection end.
        except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def _tunnel(self, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = urlsplit(f"//{target}")
        opened = await self._opened(there.hostname or "", there.port or 443, writer)
        if opened is not None:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await _carry(reader, writer, *opened)

    async def _forward(
        self, method: str, target: str, fields: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        there = urlsplit(target)
        if there.scheme != "http" or not there.hostname:
            await _answer(writer, "400 Bad Request", "only CONNECT, and http:// by absolute URL")
            return
        opened = await self._opened(there.hostname, there.port or 80, writer)
        if opened is None:
            return
        # One request a connection: what follows on it could be meant for another host.
        kept = [field for field in fields.split(b"\r\n") if field and not _HOP.match(field)]
        path = (there.path or "/") + (f"?{there.query}" if there.query else "")
        opened[1].write(b"\r\n".join([f"{method} {path} HTTP/1.1".encode("latin-1"), *kept, b"Connection: close", b"", b""]))
        await _carry(reader, writer, *opened)

    async def _opened(
        self, host: str, port: int, writer: asyncio.StreamWriter
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """The connection to a host that may be reached; None when that was answered instead."""
        if not is_allowed(host, port, self._hosts):
            self._refused(host, port)
            reason = f"{host}:{port} cannot be reached from the sandbox; the setting sandbox_hosts says what can"
            await _answer(writer, "403 Forbidden", reason)
            return None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                return await self._connected(host, port)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            await _answer(writer, "502 Bad Gateway", f"{host}:{port} does not answer: {error}")
            return None

    async def _connected(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._upstream is None or _is_near(host, self._near):
            return await asyncio.open_connection(host, port)
        there, credentials = self._upstream
        reader, writer = await asyncio.open_connection(*there)
        writer.write(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{credentials}\r\n".encode("latin-1"))
        head = await reader.readuntil(b"\r\n\r\n")
        if head.split(b" ", 2)[1:2] != [b"200"]:
            writer.close()
            raise OSError(f"the proxy {there[0]} refuses: {head.splitlines()[0].decode('latin-1')}")
        return reader, writer


def is_allowed(host: str, port: int, hosts: Sequence[str]) -> bool:
    """Whether this host and port are among the hosts.

    >>> is_allowed("pypi.org", 443, ["pypi.org"]), is_allowed("a.b.c", 80, ["*.b.c:443"]), is_allowed("b.c", 1, ["*.b.c"])
    (True, False, False)
    """
    host = host.lower().rstrip(".")
    for each in hosts:
        name, _, only = each.partition(":")
        is_name = host.endswith(name[1:]) and len(host) > len(name) - 1 if name.startswith("*.") else host == name
        if is_name and (not only or int(only) == port):
            return True
    return False


HEAD_MAX_BYTES: Final = 64 << 10
HEAD_TIMEOUT_S: Final = 30.0
CONNECT_TIMEOUT_S: Final = 20.0
_PIECE_BYTES: Final = 64 << 10
_HOP: Final = re.compile(rb"(?i)(?:proxy-|connection:|keep-alive:)")


async def _answer(writer: asyncio.StreamWriter, status: str, reason: str) -> None:
    body = f"{reason}\n".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


async def _carry(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    far_reader: asyncio.StreamReader,
    far_writer: asyncio.StreamWriter,
) -> None:
    """Carry bytes both ways until both sides have said all."""
    try:
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
    finally:
        far_writer.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while piece := await source.read(_PIECE_BYTES):
        sink.write(piece)
        await sink.drain()
    with suppress(OSError):
        sink.write_eof()


def _is_near(host: str, near: Sequence[str]) -> bool:
    """Whether this machine reaches the host without a proxy of its own."""
    names = [name.strip().lstrip("*.") for name in near]
    return "*" in near or any(name and (host == name or host.endswith(f".{name}")) for name in names)


def _upstream(environment: Mapping[str, str]) -> tuple[tuple[str, int], str] | None:
    """The proxy that this machine itself must use, and the header by which it knows us."""
    names = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
    given = next((environment[name] for name in names if environment.get(name)), None)
    if given is None:
        return None
    url = urlsplit(given if "://" in given else f"http://{given}")
    if url.scheme != "http" or not url.hostname:
        return None  # of another kind than we speak
    pair = f"{unquote(url.username or '')}:{unquote(url.password or '')}"
    credentials = f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}\r\n" if url.username else ""
    return (url.hostname, url.port or 80), credentials
