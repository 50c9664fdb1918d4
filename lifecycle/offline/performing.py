"""Plays one reply on one exchange: where a stall stalls, a drop drops and a fault is worded.

Owns the order of bytes within a response. Which reply it is was decided before.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import assert_never

from lifecycle.offline.exchange import Exchange
from lifecycle.offline.replies import Drop, Fault, Malformed, Reply, Stall, Turn
from lifecycle.offline.request import ModelRequest
from lifecycle.offline.wire import PING, error_body, event, message, stream_events, with_ids

__all__ = ["perform"]

STREAM = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
JSON = "application/json"
PROXY_PAGE = "<!doctype html><html><head><title>Sign in</title></head><body>Sign in to Wi-Fi</body></html>"


async def perform(reply: Reply, request: ModelRequest, exchange: Exchange) -> None:
    """Send `reply` as the answer to `request`, as a stream or whole, whichever was asked for.

    Raises:
        Gone: the client hung up, or the reply was to break the connection.
    """
    match reply:
        case Turn():
            await _turn(reply, request, exchange)
        case Fault():
            await _fault(reply, request, exchange)
        case Stall():
            await _stall(reply, request, exchange)
        case Drop():
            await _drop(reply, request, exchange)
        case Malformed():
            await _malformed(reply, request, exchange)
        case _:
            assert_never(reply)


async def _turn(turn: Turn, request: ModelRequest, exchange: Exchange) -> None:
    await _pause(turn.delay_s, exchange)
    if not request.stream:
        await exchange.respond(200, JSON, _whole(turn, request))
        return
    pieces = _pieces(turn, request)
    await exchange.start(200, STREAM)
    for piece in pieces:
        await exchange.send(piece)
        await _pause(turn.pace_s, exchange)
    await exchange.finish()


async def _fault(fault: Fault, request: ModelRequest, exchange: Exchange) -> None:
    if fault.in_stream and request.stream:
        await exchange.start(200, STREAM)
        await exchange.send(event("error", {"error": error_body(fault)["error"]}))
        await exchange.finish()
        return
    await exchange.respond(fault.status, JSON, json.dumps(error_body(fault)), fault.headers)


async def _stall(stall: Stall, request: ModelRequest, exchange: Exchange) -> None:
    if stall.after == "nothing":
        await exchange.silence(stall.seconds)
        await _turn(stall.turn, request, exchange)
        return
    pieces = _pieces(stall.turn, request) if request.stream else [_whole(stall.turn, request)]
    await exchange.start(200, STREAM if request.stream else {"content-type": JSON})
    first = _middle(pieces) if stall.after == "text" else 0
    for piece in pieces[:first]:
        await exchange.send(piece)
    await _idle(stall, request, exchange)
    for piece in pieces[first:]:
        await exchange.send(piece)
    await exchange.finish()


async def _idle(stall: Stall, request: ModelRequest, exchange: Exchange) -> None:
    """The silence of a stall whose headers are out, with pings where it has them."""
    if stall.ping_every_s is None or not request.stream:
        await exchange.silence(stall.seconds)
        return
    loop = asyncio.get_running_loop()
    end = None if stall.seconds is None else loop.time() + stall.seconds
    while end is None or loop.time() < end:
        left = stall.ping_every_s if end is None else min(stall.ping_every_s, end - loop.time())
        await exchange.silence(max(0.0, left))
        await exchange.send(PING)


async def _drop(drop: Drop, request: ModelRequest, exchange: Exchange) -> None:
    if drop.when == "mid_stream":
        whole = _whole(drop.turn, request)
        pieces = _pieces(drop.turn, request) if request.stream else [whole[: len(whole) // 2], ""]
        await exchange.start(200, STREAM if request.stream else {"content-type": JSON})
        for piece in pieces[: _middle(pieces)]:
            await exchange.send(piece)
        await asyncio.sleep(0.05)  # let the pieces leave before the reset overtakes them
    exchange.reset()


async def _malformed(malformed: Malformed, request: ModelRequest, exchange: Exchange) -> None:
    if malformed.kind == "html":
        await exchange.respond(200, "text/html", PROXY_PAGE)
    elif not request.stream:
        await exchange.respond(200, JSON, '{"id": "msg_broken", "type": "mess')
    elif malformed.kind == "events":
        await exchange.respond(
            200, STREAM["content-type"], "event: message_start\ndata: {not json at all\n\n"
        )
    else:
        pieces = _pieces(Turn(), request)
        await exchange.respond(200, STREAM["content-type"], "".join(pieces[:1]))


async def _pause(seconds: float, exchange: Exchange) -> None:
    if seconds > 0:
        await exchange.silence(seconds)


def _pieces(turn: Turn, request: ModelRequest) -> list[str]:
    return list(stream_events(_identified(turn), request, _message_id()))


def _whole(turn: Turn, request: ModelRequest) -> str:
    return json.dumps(message(_identified(turn), request, _message_id()))


def _middle(pieces: list[str]) -> int:
    """After the head, a block's start and some of its text: three events, fewer where there are fewer."""
    return min(3, max(1, len(pieces) - 1))


def _identified(turn: Turn) -> Turn:
    return with_ids(turn, secrets.token_hex(10))


def _message_id() -> str:
    return f"msg_{secrets.token_hex(12)}"
