"""Every way in which a model's service fails, through the real CLI, ends in the class that it should."""

from __future__ import annotations

import time
from typing import Any

import pytest

from lifecycle.events import RateLimitNoted, RequestRetried
from lifecycle.offline import Fault, Text, ToolUse, Turn
from lifecycle.offline.faults import FAULTS, rate_limited_until
from lifecycle.offline.scenarios import always, first_then, sequence, steps
from states.vocabulary import Cause, OutcomeKind

ENDS_IN = {
    "rate_limited": Cause.RATE_LIMIT,
    "rate_limited_shortly": Cause.RATE_LIMIT,
    "rate_limited_for_long": Cause.RATE_LIMIT,
    "overloaded": Cause.UNAVAILABLE,
    "overloaded_in_stream": Cause.UNAVAILABLE,
    "internal_error": Cause.UNAVAILABLE,
    "unauthorized": Cause.AUTHENTICATION,
    "forbidden": Cause.AUTHENTICATION,
    "credit_too_low": Cause.BILLING,
    "payment_required": Cause.BILLING,
    "prompt_too_long": Cause.PROMPT_TOO_LONG,
    "lost_tool_use": Cause.CONVERSATION_BROKEN,
    "model_not_found": Cause.MODEL_NOT_FOUND,
    "dropped_before_headers": Cause.UNAVAILABLE,
    "dropped_mid_stream": Cause.UNAVAILABLE,
    "html": Cause.MALFORMED_REPLY,
    "broken_events": Cause.MALFORMED_REPLY,
    "unfinished_stream": Cause.MALFORMED_REPLY,
    "stalled_before_headers": Cause.IDLE,
    "stalled_after_headers": Cause.IDLE,
    "stalled_after_text": Cause.IDLE,
    "stalled_with_pings": Cause.IDLE,
}
TOOL = Turn(Text("Looking around."), ToolUse("Bash", {"command": "true"}))


def test_every_fault_has_a_row() -> None:
    assert ENDS_IN.keys() == FAULTS.keys()


@pytest.mark.parametrize("name", ENDS_IN)
async def test_a_fault_at_the_beginning(agent_lab: Any, name: str) -> None:
    outcome, leg = await agent_lab.run(always(FAULTS[name]), idle_timeout_s=2.0)
    assert outcome.cause is ENDS_IN[name], outcome.detail
    assert outcome.progressed is False
    assert len(outcome.detail) > 20
    assert "\n" not in outcome.detail


@pytest.mark.parametrize("name", ["overloaded", "credit_too_low", "html", "stalled_after_text"])
async def test_a_fault_in_the_middle(agent_lab: Any, name: str) -> None:
    """What was done before it counts as progress, and stays accounted."""
    outcome, leg = await agent_lab.run(sequence(TOOL, FAULTS[name]), idle_timeout_s=2.0)
    assert (outcome.cause, outcome.progressed) == (ENDS_IN[name], True)
    assert sum(message.is_turn for message in leg.log.usage.values()) == 1


OTHERS = {
    "refusal": (Turn(Text("I can't."), stop_reason="refusal"), Cause.REFUSED),
    "output limit": (Turn(Text("on and on"), stop_reason="max_tokens"), Cause.CONVERSATION_BROKEN),
    "too large": (Fault(413, "request_too_large", "Request exceeds the maximum size"), Cause.PROMPT_TOO_LONG),
    "bad request": (Fault(400, "invalid_request_error", "max_tokens: too big"), Cause.CONVERSATION_BROKEN),
    "bad gateway": (Fault(502, "api_error", "Bad gateway"), Cause.UNAVAILABLE),
    "redirect": (Fault(302, "redirect", "Found"), Cause.MALFORMED_REPLY),
}


@pytest.mark.parametrize("name", OTHERS)
async def test_other_ends(agent_lab: Any, name: str) -> None:
    reply, cause = OTHERS[name]
    outcome, _ = await agent_lab.run(always(reply))
    assert outcome.cause is cause, outcome.detail


async def test_wrong_credentials_are_fatal_at_the_first_refusal(agent_lab: Any) -> None:
    """The CLI would try ten times over three minutes."""
    async with agent_lab.leg(always(FAULTS["unauthorized"]), max_retries=10) as leg:
        refused = await leg.server.wait_for(lambda request: True)
        outcome = await leg.outcome()
        assert time.monotonic() - refused.at < 3.0
        assert outcome.kind is OutcomeKind.FATAL
        assert "ANTHROPIC_API_KEY" in outcome.detail
        assert len(leg.server.requests) <= 2


async def test_no_credentials_at_all_are_fatal(agent_lab: Any) -> None:
    outcome, leg = await agent_lab.run(
        always(TOOL), env={"ANTHROPIC_API_KEY": "", "CLAUDE_CODE_OAUTH_TOKEN": ""}
    )
    assert outcome.cause is Cause.AUTHENTICATION
    assert leg.server.requests == ()


OAUTH = {"ANTHROPIC_API_KEY": "", "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-not-a-real-token"}


async def test_a_login_that_stays_refused_is_fatal(agent_lab: Any) -> None:
    outcome, _ = await agent_lab.run(always(FAULTS["unauthorized"]), env=OAUTH, max_retries=10)
    assert outcome.cause is Cause.AUTHENTICATION


async def test_a_stated_reset_is_waited_for(agent_lab: Any) -> None:
    resets_at = int(time.time()) + 1000
    outcome, leg = await agent_lab.run(always(rate_limited_until(resets_at)), env=OAUTH)
    assert (outcome.cause, outcome.until) == (Cause.RATE_LIMIT, float(resets_at))
    assert [event.resets_at for event in leg.log.told(RateLimitNoted)] == [float(resets_at)]


async def test_a_short_storm_is_survived_by_the_cli_itself(agent_lab: Any) -> None:
    outcome, leg = await agent_lab.run(first_then(2, FAULTS["overloaded"], steps()), max_retries=3)
    assert outcome.cause is Cause.END_TURN
    assert [(event.attempt, event.status) for event in leg.log.told(RequestRetried)] == [(1, 529), (2, 529)]


async def test_nobody_listens(agent_lab: Any) -> None:
    outcome, _ = await agent_lab.run(always(TOOL), env={"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"})
    assert outcome.cause is Cause.UNAVAILABLE


async def test_details_hold_no_secret(agent_lab: Any) -> None:
    secret = "hush-hush-4711"  # noqa: S105  # it is made up
    fault = Fault(400, "invalid_request_error", f"the key {secret} and sk-ant-api03-abcdefgh are odd")
    outcome, _ = await agent_lab.run(always(fault), env={"MY_OTHER_API_KEY": secret})
    assert "[redacted]" in outcome.detail
    assert secret not in outcome.detail
    assert "sk-ant" not in outcome.detail
