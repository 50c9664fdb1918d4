"""The tool gate: every tool call passes here before it runs, and anything unclear is a refusal.

Owns the hook callbacks and the bookkeeping behind them: which calls were seen, which are running now, whether the
prompt was announced. A CLI that has stopped asking is found out by comparing its stream with this. Every decision is
recorded before it takes effect; one that cannot be is a refusal. Knows no SDK: the callbacks take and return the plain
data of the hook protocol.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from lifecycle.agent.on_record import DecisionRecord
from lifecycle.agent.rules import ALLOWED, Rule, ToolCall, Verdict

__all__ = ["HOOK_TIMEOUT_S", "Gate"]

HOOK_TIMEOUT_S: Final = 30.0
"""The CLI refuses a call whose hook takes longer; the gate's own bound is shorter, so that it can say why."""

_JUDGE_TIMEOUT_S: Final = 20.0

HookOutput = dict[str, Any]


class Gate:
    """One session's gate.

    Attributes:
        prompt_seen: whether the CLI announced the prompt, which it must do before the model is asked anything.
        running: the calls that run now: id -> when they were let through, by the event loop's clock.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        on_allowed: Callable[[ToolCall], None] = lambda call: None,
        on_denied: Callable[[ToolCall, str], None] = lambda call, reason: None,
        on_finished: Callable[[], Awaitable[str | None]] | None = None,
        record: Callable[[ToolCall, Verdict], None] = lambda call, verdict: None,
    ) -> None:
        """Args:
        rules: all must allow a call; without any, everything is refused.
        on_allowed: told of each call that is let through, from the event loop.
        on_denied: told of each call that is refused, with the reason.
        on_finished: asked when a tool's work is done and no other runs; what it returns is told to the agent
             beside the tool's result.
        record: keeps each decision, in a thread, before it takes effect; if it raises or takes too long, the call is
             refused, and it is asked to keep that as well.
        """
        self._rules = tuple(rules)
        self._on_allowed = on_allowed
        self._on_denied = on_denied
        self._on_finished = on_finished
        self._record = DecisionRecord(record)
        self._seen: set[str] = set()
        self.prompt_seen = False
        self.running: dict[str, float] = {}

    def has_seen(self, call_id: str) -> bool:
        """Whether that call passed the gate, whatever it said."""
        return call_id in self._seen

    def finished(self, call_id: str) -> None:
        """A result for that call arrived, so it does not run any more."""
        self.running.pop(call_id, None)

    async def judge(self, call: ToolCall) -> Verdict:
        """What the rules say. Never raises: a rule that fails or takes too long refuses."""
        if not self._rules:
            return Verdict(False, "the gate has no rules, so nothing is allowed", "gate.no-rules")
        try:
            async with asyncio.timeout(_JUDGE_TIMEOUT_S):
                # In a thread: a rule may look at the disk, or be a host's code, and must not hold up the session.
                return await asyncio.to_thread(self._ask, call)
        except TimeoutError:
            reason = f"the gate could not decide within {_JUDGE_TIMEOUT_S:g} s; try something simpler"
            return Verdict(False, reason, "gate.timeout")
        except Exception as error:  # noqa: BLE001  # a rule is anybody's code: no fault of it may open the gate
            return Verdict(False, f"the gate could not decide ({type(error).__name__}: {error})", "gate.fault")

    async def before_tool(self, data: Any, call_id: str | None, _context: Any = None) -> HookOutput:
        """The PreToolUse callback. It never allows: it refuses, or leaves the call to the CLI's own permissions."""
        call = _call_of(data)
        call_id = str(call_id or (data.get("tool_use_id") if isinstance(data, Mapping) else None) or "")
        self._seen.add(call_id)
        if call is None:
            verdict = await self._recorded(_NO_CALL, _NOT_UNDERSTOOD)
            return _denial(verdict.reason)
        verdict = await self._recorded(call, await self.judge(call))
        if not verdict.allowed:
            self._on_denied(call, verdict.reason)
            return _denial(verdict.reason)
        self.running[call_id] = asyncio.get_running_loop().time()
        self._on_allowed(call)
        return {}

    async def after_tool(self, data: Any, call_id: str | None, _context: Any = None) -> HookOutput:
        """The PostToolUse and PostToolUseFailure callback."""
        self.finished(str(call_id))
        # While another call runs, what it writes may be half written: the last one to finish is asked about all.
        if self._on_finished is None or self.running or not isinstance(data, Mapping):
            return {}
        words = await self._on_finished()
        if words is None:
            return {}
        event = str(data.get("hook_event_name", "PostToolUse"))
        return {"hookSpecificOutput": {"hookEventName": event, "additionalContext": words}}

    async def on_prompt(self, _data: Any, _call_id: str | None, _context: Any = None) -> HookOutput:
        """The UserPromptSubmit callback."""
        self.prompt_seen = True
        return {}

    def _ask(self, call: ToolCall) -> Verdict:
        for rule in self._rules:
            verdict = rule(call)
            if verdict.allowed is not True:  # a rule that answers nonsense has not allowed anything
                return verdict if verdict.rule else replace(verdict, rule=f"host.{_name_of(rule)}")
        return ALLOWED

    async def _recorded(self, call: ToolCall, verdict: Verdict) -> Verdict:
        """The verdict, once it is on record; a refusal where it cannot be."""
        try:
            await self._record.put(call, verdict)
        except Exception as error:  # noqa: BLE001  # a full disk, or a host's code: what is not on record does not run
            problem = f"this decision could not be written to the audit log ({error or type(error).__name__})"
            reason = f"{problem}, so nothing may run; a person must mend that, and the same call is accepted again"
            return Verdict(False, f"{verdict.reason}; {reason}" if verdict.reason else reason, "gate.audit")
        return verdict


def _call_of(data: Any) -> ToolCall | None:
    if not isinstance(data, Mapping):
        return None
    tool, arguments, cwd = data.get("tool_name"), data.get("tool_input"), data.get("cwd")
    if not isinstance(tool, str) or not isinstance(arguments, Mapping) or not isinstance(cwd, str) or not cwd:
        return None
    return ToolCall(tool, arguments, Path(cwd))


def _name_of(rule: Rule) -> str:
    return str(getattr(rule, "__name__", type(rule).__name__)).strip("<>")


_NO_CALL: Final = ToolCall("", {}, Path("."))
_NOT_UNDERSTOOD: Final = Verdict(False, "the gate does not understand this call", "gate.input")


def _denial(reason: str) -> HookOutput:
    return {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": reason or "refused",
        }
    }
