"""What the SDK's messages say, folded into what the session needs: usage, events, signs of life, and how it ended.

Owns the reading of the SDK's message classes; nothing past this module looks at them. Does nothing by itself: each
message becomes a `Step` that the session acts on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lifecycle.agent.evidence import Cut, Result
from lifecycle.agent.gate import Gate
from lifecycle.agent.usage import SYNTHETIC_MODEL, UsageFold
from lifecycle.events import Event, RateLimitNoted, RequestRetried, Said
from lifecycle.ports import MessageUsage
from lifecycle.redaction import one_line
from states.vocabulary import Cause, SessionId

if TYPE_CHECKING:
    from claude_agent_sdk import (
        AssistantMessage,
        Message,
        RateLimitEvent,
        ResultMessage,
        SystemMessage,
        UserMessage,
    )
    from claude_agent_sdk.types import StreamEvent

__all__ = ["Step", "StreamReader"]


@dataclass(slots=True)
class Step:
    """What one message calls for.

    Attributes:
        usage: to be made durable before the next message is read.
        events: to be told.
        total_cost_usd: the agent's own total for the conversation, when it told one.
        is_sign_of_life: whether the watchdog starts again.
        quiet_s: for how long the agent has said that nothing will come.
        cut: why the session must be cut off now, or None.
        is_final: whether the turn is over.
    """

    usage: list[MessageUsage] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    total_cost_usd: float | None = None
    is_sign_of_life: bool = True
    quiet_s: float = 0.0
    cut: Cut | None = None
    is_final: bool = False


class StreamReader:
    """Reads one process's messages, in order.

    Attributes:
        usage: what was used so far.
        result: the newest result.
        error: the newest error that the CLI put in an assistant's message.
        resets_at: when a rejected rate limit ends.
        cli_version: as the CLI told it.
    """

    def __init__(
        self,
        session_id: SessionId,
        gate: Gate,
        *,
        now: Callable[[], float],
        redact: Callable[[str], str],
        budget_usd: float | None = None,
    ) -> None:
        self._session_id = session_id
        self._gate = gate
        self._now = now
        self._redact = redact
        self._budget_usd = budget_usd
        self._has_fixed_key = False
        self._refusals = 0
        self._background: set[str] = set()
        self.usage = UsageFold()
        self.result: Result | None = None
        self.error: str | None = None
        self.resets_at: float | None = None
        self.cli_version: str | None = None

    def read(self, message: Message) -> Step:
        """Fold one message in. A kind that is unknown here is a sign of life and nothing else."""
        import claude_agent_sdk as sdk  # loaded long since: somebody has made the message

        match message:
            case sdk.StreamEvent():
                return self._partial(message)
            case sdk.AssistantMessage():
                return self._assistant(message)
            case sdk.UserMessage():
                return self._user(message)
            case sdk.ResultMessage():
                return self._result(message)
            case sdk.RateLimitEvent():
                return self._rate_limit(message)
            case sdk.SystemMessage():
                return self._system(message)
            case _:
                return Step()

    def _partial(self, message: StreamEvent) -> Step:
        event = message.event
        step = Step(is_sign_of_life=event.get("type") != "ping")
        if event.get("type") == "message_start":
            self._refusals = 0
            step.cut = self._unannounced()
        if (used := self.usage.event(event, message.parent_tool_use_id)) is not None:
            step.usage.append(used)
            step.cut = step.cut or self._overspent()
        return step

    def _assistant(self, message: AssistantMessage) -> Step:
        import claude_agent_sdk as sdk

        step = Step()
        if message.error is not None:
            self.error = str(message.error)
        if message.model == SYNTHETIC_MODEL:
            return step
        step.cut = self._unannounced()
        used = self.usage.assistant(
            message.message_id, message.model, message.usage, message.parent_tool_use_id
        )
        if used is not None:
            step.usage.append(used)
            step.cut = step.cut or self._overspent()
        for block in message.content:
            if isinstance(block, sdk.TextBlock) and block.text.strip():
                step.events.append(
                    Said(
                        at=self._now(),
                        session_id=self._session_id,
                        text=one_line(self._redact(block.text[:2000])),
                    )
                )
        return step

    def _user(self, message: UserMessage) -> Step:
        import claude_agent_sdk as sdk

        step = Step()
        for block in message.content if isinstance(message.content, list) else ():
            if isinstance(block, sdk.ToolResultBlock):
                self._gate.finished(block.tool_use_id)
                if not self._gate.has_seen(block.tool_use_id) and not _never_ran(
                    block.content, block.is_error
                ):
                    step.cut = Cut(Cause.GATE, "a tool ran that the gate was not asked about")
        return step

    def _result(self, message: ResultMessage) -> Step:
        self.result = Result(
            subtype=message.subtype,
            is_error=message.is_error,
            terminal_reason=message.terminal_reason,
            api_error_status=message.api_error_status,
            stop_reason=message.stop_reason,
            text=message.result or "",
            errors=tuple(message.errors or ()),
        )
        # Work in the background would wake the agent for another turn. With our options there is none.
        return Step(
            usage=list(self.usage.rest()),
            total_cost_usd=message.total_cost_usd,
            is_final=not self._background,
        )

    def _rate_limit(self, message: RateLimitEvent) -> Step:
        info = message.rate_limit_info
        resets_at = float(info.resets_at) if info.resets_at else None
        if info.status == "rejected":
            self.resets_at = resets_at
        noted = RateLimitNoted(
            at=self._now(),
            session_id=self._session_id,
            status=str(info.status),
            resets_at=resets_at,
            utilization=info.utilization,
        )
        return Step(events=[] if info.status == "allowed" else [noted])

    def _system(self, message: SystemMessage) -> Step:
        data = message.data
        match message.subtype:
            case "init":
                self._has_fixed_key = data.get("apiKeySource") in FIXED_KEYS
                self.cli_version = _text(data.get("claude_code_version"))
            case "api_retry":
                return self._retry(data)
            case "task_started":
                self._background.add(str(data.get("task_id")))
            case "task_notification" | "task_updated" if _is_over(data):
                self._background.discard(str(data.get("task_id")))
        return Step()

    def _retry(self, data: dict[str, Any]) -> Step:
        status = data.get("error_status")
        delay_ms = data.get("retry_delay_ms")
        attempt = data.get("attempt")
        step = Step(quiet_s=delay_ms / 1000 if isinstance(delay_ms, int | float) else 0.0)
        step.events.append(
            RequestRetried(
                at=self._now(),
                session_id=self._session_id,
                attempt=attempt if isinstance(attempt, int) else 0,
                status=status if isinstance(status, int) else None,
                error=one_line(self._redact(str(data.get("error", "unknown")))),
            )
        )
        if status == 401:
            self._refusals += 1
            # A login can be renewed by the CLI between two attempts; a fixed key can not.
            if self._has_fixed_key or self._refusals > 1:
                step.cut = Cut(Cause.AUTHENTICATION, "the service refused the credentials (401)")
        return step

    def _unannounced(self) -> Cut | None:
        if self._gate.prompt_seen:
            return None
        return Cut(Cause.GATE, "the model answered before the gate was told of the prompt")

    def _overspent(self) -> Cut | None:
        """The CLI has a limit of its own, but not our price table; the ledger's word is the one that counts."""
        if self._budget_usd is None or self.usage.cost_usd < self._budget_usd:
            return None
        return Cut(Cause.BUDGET, f"the session has used its budget of ${self._budget_usd:.2f}")


FIXED_KEYS: Final = frozenset({"ANTHROPIC_API_KEY", "/login managed key"})
_REFUSED_UNHEARD: Final = "<tool_use_error>"


def _never_ran(content: object, is_error: bool | None) -> bool:
    """Whether the CLI turned the call down by itself (unknown tool, wrong arguments), before any hook and any effect.

    What a tool says when it fails never begins like this: Bash puts its exit status first, the others plain words.
    """
    return bool(is_error) and isinstance(content, str) and content.startswith(_REFUSED_UNHEARD)


def _is_over(data: dict[str, Any]) -> bool:
    patch = data.get("patch")
    status = patch.get("status") if isinstance(patch, dict) else data.get("status")
    return status in ("completed", "failed", "stopped", "killed")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
