"""A turn as the Messages API puts it on the wire: one JSON message, or the events of a stream.

Pure: replies in, text out. Knows no socket, no time and no chance; ids are given to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

from lifecycle.offline.replies import Fault, Text, ToolUse, Turn, Usage
from lifecycle.offline.request import ModelRequest

__all__ = ["PING", "error_body", "event", "message", "stream_events", "with_ids"]

CHUNK_CHARS = 64
CHARS_PER_TOKEN = 4


def with_ids(turn: Turn, token: str) -> Turn:
    """The same turn with an id on every tool call that has none, made from `token`."""
    blocks = (
        replace(block, id=f"toolu_{token}{index:02d}")
        if isinstance(block, ToolUse) and block.id is None
        else block
        for index, block in enumerate(turn.blocks)
    )
    return Turn(
        *blocks,
        usage=turn.usage,
        stop_reason=turn.stop_reason,
        delay_s=turn.delay_s,
        pace_s=turn.pace_s,
    )


def message(turn: Turn, request: ModelRequest, message_id: str) -> dict[str, Any]:
    """The turn as the whole answer to a request that did not ask for a stream. Tool calls must have ids."""
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": request.model,
        "content": [_block(block) for block in turn.blocks],
        "stop_reason": _stop_reason(turn),
        "stop_sequence": None,
        "usage": asdict(turn.usage or estimated_usage(turn, request)),
    }


def stream_events(turn: Turn, request: ModelRequest, message_id: str) -> Iterator[str]:
    """The turn as server-sent events, each complete with its blank line. Tool calls must have ids."""
    usage = asdict(turn.usage or estimated_usage(turn, request))
    head = message(turn, request, message_id) | {"content": [], "stop_reason": None}
    yield event("message_start", {"message": head | {"usage": usage | {"output_tokens": 1}}})
    for index, block in enumerate(turn.blocks):
        yield event("content_block_start", {"index": index, "content_block": _empty(block)})
        for delta in _deltas(block):
            yield event("content_block_delta", {"index": index, "delta": delta})
        yield event("content_block_stop", {"index": index})
    end: dict[str, Any] = {"stop_reason": _stop_reason(turn), "stop_sequence": None}
    yield event("message_delta", {"delta": end, "usage": usage})
    yield event("message_stop", {})


def estimated_usage(turn: Turn, request: ModelRequest) -> Usage:
    """Plausible tokens: all but the newest message is read from the cache, the newest is written to it."""
    written = sum(
        len(block.text if isinstance(block, Text) else json.dumps(dict(block.input))) for block in turn.blocks
    )
    newest = len(json.dumps(request.messages[-1])) if request.messages else 0
    earlier = max(0, request.size_chars - newest)
    return Usage(
        input_tokens=4,
        output_tokens=max(1, written // CHARS_PER_TOKEN),
        cache_read_input_tokens=earlier // CHARS_PER_TOKEN,
        cache_creation_input_tokens=newest // CHARS_PER_TOKEN,
    )


def error_body(fault: Fault) -> dict[str, Any]:
    """The API's error object."""
    return {"type": "error", "error": {"type": fault.error_type, "message": fault.message}}


def event(kind: str, data: Mapping[str, Any]) -> str:
    """One server-sent event of the Messages API."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n"


PING = event("ping", {})


def _stop_reason(turn: Turn) -> str:
    return turn.stop_reason or ("tool_use" if turn.tool_uses else "end_turn")


def _block(block: Text | ToolUse) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"type": "text", "text": block.text}
    return {"type": "tool_use", "id": block.id, "name": block.name, "input": dict(block.input)}


def _empty(block: Text | ToolUse) -> dict[str, Any]:
    empty: dict[str, Any] = {"text": ""} if isinstance(block, Text) else {"input": {}}
    return _block(block) | empty


def _deltas(block: Text | ToolUse) -> Iterator[dict[str, str]]:
    if isinstance(block, Text):
        yield from ({"type": "text_delta", "text": piece} for piece in _pieces(block.text))
    else:
        arguments = json.dumps(dict(block.input))
        yield from ({"type": "input_json_delta", "partial_json": piece} for piece in _pieces(arguments))


def _pieces(text: str) -> Iterator[str]:
    """At least two pieces of anything longer than a character, so that every stream has a middle."""
    size = max(1, min(CHUNK_CHARS, len(text) // 2))
    yield from (text[start : start + size] for start in range(0, len(text), size))
