"""The ledger's side of the stream: which message used how many tokens, as far as it has been told.

Owns the folding of partial reports. A message is reported when it starts (its input is spent by then, and a kill
a moment later must not lose it), and again when it ends. Reads plain dictionaries; knows neither SDK nor journal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lifecycle.agent.pricing import DEAREST, cost_usd, price_of, tokens
from lifecycle.ports import MessageUsage

__all__ = ["SYNTHETIC_MODEL", "UsageFold"]

SYNTHETIC_MODEL: Final = "<synthetic>"
"""What the CLI calls the author of messages that it wrote itself; they cost nothing and are no turns."""

_COUNTS: Final = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


@dataclass(slots=True)
class _Message:
    id: str
    model: str
    is_turn: bool
    usage: dict[str, Any] = field(default_factory=dict)
    is_whole: bool = False

    def merge(self, usage: Mapping[str, Any]) -> None:
        """Counts only ever grow: a later report that leaves one out, or tells less, takes nothing back."""
        for name in _COUNTS:
            self.usage[name] = max(tokens(self.usage, name), tokens(usage, name))
        if isinstance(usage.get("cache_creation"), Mapping):
            self.usage["cache_creation"] = usage["cache_creation"]


class UsageFold:
    """Folds the stream's reports into one `MessageUsage` per message of the model.

    Attributes:
        turns: messages of the main conversation that arrived whole.
        cost_usd: of everything seen here, by the price table.
    """

    def __init__(self) -> None:
        self._messages: dict[str, _Message] = {}
        self._streaming: dict[str | None, str] = {}
        self._costs: dict[str, float] = {}

    @property
    def turns(self) -> int:
        return sum(message.is_whole and message.is_turn for message in self._messages.values())

    @property
    def cost_usd(self) -> float:
        return sum(self._costs.values())

    def event(self, event: Mapping[str, Any], parent: str | None) -> MessageUsage | None:
        """A raw event of the Messages API's stream; returns what is worth making durable now.

        Args:
            parent: the tool call on whose behalf the message is made, None in the main conversation. Streams of
                different parents may interleave.
        """
        match event.get("type"):
            case "message_start":
                started = event.get("message")
                if not isinstance(started, Mapping):
                    return None
                message = self._message(str(started.get("id")), str(started.get("model")), parent)
                self._streaming[parent] = message.id
                message.merge(_mapping(started.get("usage")))
                return self._told(message)
            case "message_delta" if current := self._current(parent):
                current.merge(_mapping(event.get("usage")))
                current.is_whole = bool(_mapping(event.get("delta")).get("stop_reason"))
            case "message_stop" if current := self._current(parent):
                # The CLI closes a message that broke off in the same way, only without a reason to stop.
                del self._streaming[parent]
                return self._told(current)
        return None

    def assistant(
        self, id_: str | None, model: str, usage: object, parent: str | None
    ) -> MessageUsage | None:
        """A message, or a block of one, as the SDK hands it over; returns what is worth making durable now.

        One that was streamed is told by its events. One that was not (the CLI asks again without streaming when a
        stream breaks) is known from here only, and its usage is complete.
        """
        if id_ is None or model == SYNTHETIC_MODEL or id_ in self._messages:
            return None
        message = self._message(id_, model, parent)
        message.merge(_mapping(usage))
        message.is_whole = True
        return self._told(message)

    def rest(self) -> tuple[MessageUsage, ...]:
        """What was being streamed when the stream ended: told as far as it came."""
        open_ids = list(self._streaming.values())
        self._streaming.clear()
        return tuple(self._told(self._messages[id_]) for id_ in open_ids)

    def _message(self, id_: str, model: str, parent: str | None) -> _Message:
        return self._messages.setdefault(id_, _Message(id_, model, is_turn=parent is None))

    def _current(self, parent: str | None) -> _Message | None:
        id_ = self._streaming.get(parent)
        return None if id_ is None else self._messages[id_]

    def _told(self, message: _Message) -> MessageUsage:
        price = price_of(message.model)
        cost = self._costs[message.id] = cost_usd(price or DEAREST, message.usage)
        return MessageUsage(
            message_id=message.id,
            model=message.model,
            input_tokens=tokens(message.usage, "input_tokens"),
            output_tokens=tokens(message.usage, "output_tokens"),
            cache_read_tokens=tokens(message.usage, "cache_read_input_tokens"),
            cache_write_tokens=tokens(message.usage, "cache_creation_input_tokens"),
            cost_usd=cost,
            is_priced=price is not None,
            is_turn=message.is_turn and message.is_whole,
        )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
