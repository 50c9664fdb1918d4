"""What a scenario can answer: a model's turn, or one of the ways in which an endpoint fails.

Owns the vocabulary of replies. Knows no HTTP and no bytes; `wire` and `connection` do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from lifecycle.offline.request import ModelRequest

__all__ = ["Drop", "Fault", "Malformed", "Reply", "Scenario", "Stall", "Text", "ToolUse", "Turn", "Usage"]

StopReason: TypeAlias = Literal[
    "end_turn",
    "tool_use",
    "max_tokens",
    "stop_sequence",
    "refusal",
    "pause_turn",
    "model_context_window_exceeded",
]


@dataclass(frozen=True, slots=True)
class Text:
    """A block of prose."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A call of one of the agent's tools.

    Attributes:
        name: the tool ("Read", "Bash", ...).
        input: its arguments, as JSON would have them.
        id: at most 64 of `[a-zA-Z0-9_-]`, unique in the conversation; None lets the server choose one.
    """

    name: str
    input: Mapping[str, Any]
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a turn is said to have cost; the CLI prices them."""

    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0


@dataclass(frozen=True, slots=True, init=False)
class Turn:
    """One assistant message: `Turn(Text("..."), ToolUse("Bash", {...}))`.

    Attributes:
        blocks: its content, in order.
        usage: tokens; None estimates them from the lengths of request and reply, at four characters a token.
        stop_reason: None means "tool_use" when there is a tool call and "end_turn" otherwise.
        delay_s: silence before the response's headers.
        pace_s: silence between two pieces of the stream, so that there is a middle to be killed in.
    """

    blocks: tuple[Text | ToolUse, ...]
    usage: Usage | None
    stop_reason: StopReason | None
    delay_s: float
    pace_s: float

    def __init__(
        self,
        *blocks: Text | ToolUse,
        usage: Usage | None = None,
        stop_reason: StopReason | None = None,
        delay_s: float = 0.0,
        pace_s: float = 0.0,
    ) -> None:
        for name, value in (
            ("blocks", blocks),
            ("usage", usage),
            ("stop_reason", stop_reason),
            ("delay_s", delay_s),
            ("pace_s", pace_s),
        ):
            object.__setattr__(self, name, value)

    @property
    def tool_uses(self) -> tuple[ToolUse, ...]:
        """The tool calls among the blocks, in order."""
        return tuple(block for block in self.blocks if isinstance(block, ToolUse))


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as the Messages API words it.

    Attributes:
        status: the HTTP status.
        error_type: the API's name for it ("overloaded_error", ...).
        message: the text a person sees.
        headers: extra response headers ("retry-after", ...).
        in_stream: answer 200 and deliver the error as an event of the stream, as a server that fails late.
    """

    status: int
    error_type: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)
    in_stream: bool = False


@dataclass(frozen=True, slots=True)
class Stall:
    """Silence on an open connection.

    Attributes:
        after: what arrives first: "nothing", the response's "headers", or some "text" of `turn`.
        seconds: how long; then the rest of `turn` follows. None: until the client hangs up or we close.
        turn: what is being said so slowly.
        ping_every_s: send the stream's ping events meanwhile (not after "nothing"); None sends none.
    """

    after: Literal["nothing", "headers", "text"] = "nothing"
    seconds: float | None = None
    turn: Turn = Turn(Text("This took a while."))
    ping_every_s: float | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    """The connection is reset: before any byte of the response, or in the middle of `turn`."""

    when: Literal["before_headers", "mid_stream"] = "before_headers"
    turn: Turn = Turn(Text("You will not read the end of this sentence."))


@dataclass(frozen=True, slots=True)
class Malformed:
    """A 200 that is no message: a proxy's "html", "events" that are no JSON, or an "unfinished" stream."""

    kind: Literal["html", "events", "unfinished"] = "html"


Reply: TypeAlias = Turn | Fault | Stall | Drop | Malformed


class Scenario(Protocol):
    """Decides each reply. Called once for each request for a message, one at a time, in order of arrival."""

    def __call__(self, request: ModelRequest, /) -> Reply | Awaitable[Reply]:
        """Answer `request`. An exception is answered by a 400 and raised again when the server closes."""
        ...
