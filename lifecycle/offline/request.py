"""One request to the Messages API, as a scenario and a test want to read it.

Owns the reading of conversations. Keeps no credential: those headers are replaced before anything is stored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

__all__ = ["ModelRequest", "ToolResult", "redacted"]

REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>\s*", re.DOTALL)
"""What the agent adds on its own account to prompts and tool results."""

COMPACTION = "CRITICAL: Respond with TEXT ONLY."

SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "x-api-key", "cookie"})


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool call came back with.

    Attributes:
        id: the tool call's id.
        name: the tool, or "" when its call is not in the conversation.
        text: the text parts of the result, joined, without the reminders that the agent adds.
        is_error: whether the agent reports it as failed, refused or of unknown outcome.
    """

    id: str
    name: str
    text: str
    is_error: bool


@dataclass(frozen=True)  # no slots: the readings below are computed once and kept
class ModelRequest:
    """A POST to the Messages API.

    Attributes:
        number: 1 for the first request of this server.
        at: `time.monotonic()` at arrival; on one machine comparable between processes.
        received_at: wall-clock time of arrival, in UTC.
        path: path and query string.
        headers: names in lower case, credentials redacted.
        body: the decoded JSON object, or {} when it was none.
    """

    number: int
    at: float
    received_at: datetime
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def model(self) -> str:
        """The model asked for."""
        return str(self.body.get("model", ""))

    @property
    def stream(self) -> bool:
        """Whether the answer is wanted as events."""
        return bool(self.body.get("stream", False))

    @property
    def messages(self) -> Sequence[Mapping[str, Any]]:
        """The conversation, oldest first, as sent."""
        messages = self.body.get("messages")
        return messages if isinstance(messages, list) else []

    @cached_property
    def tools(self) -> tuple[str, ...]:
        """Names of the tools on offer."""
        tools = self.body.get("tools")
        return tuple(str(tool.get("name", "")) for tool in tools) if isinstance(tools, list) else ()

    @cached_property
    def system_text(self) -> str:
        """The system prompt's text."""
        return _text(self.body.get("system", ""))

    @cached_property
    def user_texts(self) -> tuple[str, ...]:
        """What the user's side said in prose, oldest first; one entry per message that has any.

        The reminders that the agent wraps around prompts are left out; `messages` has them.
        """
        texts = (
            _said(message.get("content", "")) for message in self.messages if message.get("role") == "user"
        )
        return tuple(text for text in texts if text)

    @property
    def first_user_text(self) -> str:
        """The prompt that began the conversation, "" when there is none."""
        return self.user_texts[0] if self.user_texts else ""

    @property
    def last_user_text(self) -> str:
        """The newest prose of the user's side, "" when there is none."""
        return self.user_texts[-1] if self.user_texts else ""

    @cached_property
    def assistant_turns(self) -> tuple[Mapping[str, Any], ...]:
        """The model's own messages so far, oldest first."""
        return tuple(message for message in self.messages if message.get("role") == "assistant")

    @cached_property
    def tool_uses(self) -> Mapping[str, Mapping[str, Any]]:
        """The model's tool calls so far, by id, oldest first."""
        return {str(block.get("id")): block for block in _blocks(self.assistant_turns, "tool_use")}

    @cached_property
    def tool_results(self) -> Mapping[str, ToolResult]:
        """Every tool result in the conversation, by the id of its call, oldest first."""
        results: dict[str, ToolResult] = {}
        for block in _blocks(self.messages, "tool_result"):
            call = str(block.get("tool_use_id"))
            name = str(self.tool_uses.get(call, {}).get("name", ""))
            results[call] = ToolResult(
                call, name, _said(block.get("content", "")), bool(block.get("is_error"))
            )
        return results

    @property
    def last_tool_result(self) -> ToolResult:
        """The newest tool result.

        Raises:
            LookupError: the conversation has none.
        """
        if not self.tool_results:
            raise LookupError("this conversation has no tool result yet")
        return list(self.tool_results.values())[-1]

    @property
    def is_compaction(self) -> bool:
        """Whether the agent asks for a summary of the conversation, to go on with that in its place."""
        return self.last_user_text.startswith(COMPACTION)

    @property
    def is_main(self) -> bool:
        """Whether this is an agent's loop at work, and not an errand of the CLI (a title, a summary).

        The loop offers tools, a title's request offers none. A subagent's loop counts as main.
        """
        return bool(self.tools) and not self.is_compaction

    @cached_property
    def session_id(self) -> str:
        """The conversation's id as the CLI reports it in the request, "" when it doesn't."""
        return self.headers.get("x-claude-code-session-id", "")

    @cached_property
    def size_chars(self) -> int:
        """Length of the body as JSON."""
        return len(json.dumps(self.body))


def redacted(headers: Mapping[str, str]) -> dict[str, str]:
    """The same headers with lower-case names and without credentials."""
    return {
        name.lower(): "[redacted]" if name.lower() in SECRET_HEADERS else value
        for name, value in headers.items()
    }


def _blocks(messages: Sequence[Mapping[str, Any]], kind: str) -> list[Mapping[str, Any]]:
    """Content blocks of one type, in order. A message whose content is a plain string has none."""
    found: list[Mapping[str, Any]] = []
    for message in messages:
        content = message.get("content")
        if isinstance(content, list):
            found += [block for block in content if isinstance(block, dict) and block.get("type") == kind]
    return found


def _said(content: Any) -> str:
    """The text of a content value without the agent's reminders."""
    return REMINDER.sub("", _text(content)).strip()


def _text(content: Any) -> str:
    """The text of a content value: a string, or the text blocks of a list."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = [
        str(part.get("text", "")) for part in content if isinstance(part, dict) and part.get("type") == "text"
    ]
    return "\n".join(parts)
