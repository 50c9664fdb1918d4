"""The classifier: exactly one row for every combination, and the rows that matter by name."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.agent.evidence import Cut, End, Ending, Evidence, Result, Status, Symptom, symptoms
from lifecycle.agent.faults import TABLE, classify, is_id_taken, is_unknown_conversation
from states.outcomes import OUTCOMES
from states.vocabulary import Cause, OutcomeKind

FAILED = Result("success", is_error=True, terminal_reason="api_error")


def api_error(
    status: int | None, error: str | None, text: str = "", stop_reason: str | None = None
) -> Evidence:
    result = replace(FAILED, api_error_status=status, text=text, stop_reason=stop_reason)
    return Evidence(result=result, error=error)


def test_every_combination_of_symptoms_matches_exactly_one_row() -> None:
    for read in itertools.product((False, True), Ending, End, Status, Symptom):
        assert sum(row.matches(read) for row in TABLE) == 1, read


def test_every_row_is_reached() -> None:
    combinations = list(itertools.product((False, True), Ending, End, Status, Symptom))
    for row in TABLE:
        assert any(row.matches(read) for read in combinations), row


# What SDK-level evidence ends in; the words are those of CLI 2.1.330.
CASES = [
    (Evidence(result=Result("success", is_error=False, terminal_reason="completed")), Cause.END_TURN),
    (Evidence(result=Result("success", is_error=False)), Cause.END_TURN),
    (Evidence(result=Result("success", is_error=False, terminal_reason="hook_stopped")), Cause.END_TURN),
    (Evidence(result=Result("error_max_turns", is_error=True, terminal_reason="max_turns")), Cause.MAX_TURNS),
    (Evidence(result=Result("error_max_turns", is_error=True)), Cause.MAX_TURNS),
    (
        Evidence(result=Result("error_max_budget_usd", is_error=True, terminal_reason="budget_exhausted")),
        Cause.BUDGET,
    ),
    (
        Evidence(
            result=Result("success", is_error=True, terminal_reason="prompt_too_long"),
            error="invalid_request",
        ),
        Cause.PROMPT_TOO_LONG,
    ),
    (
        Evidence(result=Result("error_during_execution", is_error=True, terminal_reason="aborted_tools")),
        Cause.PROCESS_KILLED,
    ),
    (Evidence(result=Result("error_during_execution", is_error=True)), Cause.PROCESS_FAILED),
    (Evidence(result=Result("something_new", is_error=True, terminal_reason="new")), Cause.PROCESS_FAILED),
    (api_error(429, "rate_limit"), Cause.RATE_LIMIT),
    (api_error(529, "server_error"), Cause.UNAVAILABLE),
    (api_error(500, "server_error"), Cause.UNAVAILABLE),
    (api_error(503, None), Cause.UNAVAILABLE),
    (api_error(408, "unknown"), Cause.UNAVAILABLE),
    (api_error(None, "server_error"), Cause.UNAVAILABLE),
    (api_error(None, "unknown", "API Error: Connection error."), Cause.UNAVAILABLE),
    (api_error(None, "unknown", "API Error: read ECONNRESET"), Cause.UNAVAILABLE),
    (api_error(None, "unknown", "API Error: JSON Parse error: Unterminated string"), Cause.MALFORMED_REPLY),
    (
        api_error(None, "unknown", "API returned an empty or malformed response; 0 stream events"),
        Cause.MALFORMED_REPLY,
    ),
    (api_error(418, "unknown"), Cause.MALFORMED_REPLY),
    (api_error(401, "authentication_failed"), Cause.AUTHENTICATION),
    (api_error(403, "authentication_failed"), Cause.AUTHENTICATION),
    (api_error(None, "authentication_failed", "Not logged in"), Cause.AUTHENTICATION),
    (api_error(400, "billing_error"), Cause.BILLING),
    (api_error(402, "unknown"), Cause.BILLING),
    (api_error(404, "model_not_found"), Cause.MODEL_NOT_FOUND),
    (api_error(413, "invalid_request"), Cause.PROMPT_TOO_LONG),
    (api_error(400, "unknown", "tool_use ids"), Cause.CONVERSATION_BROKEN),
    (api_error(400, "invalid_request", "orphaned tool_result"), Cause.CONVERSATION_BROKEN),
    (api_error(None, "max_output_tokens"), Cause.CONVERSATION_BROKEN),
    (api_error(None, "invalid_request", stop_reason="refusal"), Cause.REFUSED),
    (Evidence(exit_code=-9), Cause.PROCESS_KILLED),
    (Evidence(exit_code=-15), Cause.PROCESS_KILLED),
    (Evidence(exit_code=143), Cause.PROCESS_KILLED),
    (Evidence(exit_code=137), Cause.PROCESS_KILLED),
    (Evidence(exit_code=1, stderr="boom"), Cause.PROCESS_FAILED),
    (Evidence(exit_code=69, stderr="the manager is gone"), Cause.PROCESS_FAILED),
    (Evidence(exit_code=0), Cause.PROCESS_FAILED),
    (Evidence(), Cause.PROCESS_FAILED),
    (Evidence(problem="TimeoutError: not ready"), Cause.PROCESS_FAILED),
    (Evidence(is_unreadable=True, problem="Failed to decode JSON"), Cause.PROCESS_FAILED),
    (Evidence(exit_code=127), Cause.CONFIGURATION),
    (Evidence(exit_code=126), Cause.CONFIGURATION),
    (Evidence(cannot_run=True), Cause.CONFIGURATION),
    (Evidence(no_resources=True), Cause.OPERATING_SYSTEM),
    # A result stands, whatever became of the process after it.
    (Evidence(result=Result("success", is_error=False), exit_code=-9), Cause.END_TURN),
]


@pytest.mark.parametrize(("evidence", "cause"), CASES)
def test_evidence_ends_in_its_class(evidence: Evidence, cause: Cause) -> None:
    assert classify(evidence).cause is cause


@pytest.mark.parametrize("cause", [Cause.STOP, Cause.IDLE, Cause.DEADLINE, Cause.GATE, Cause.AUTHENTICATION])
@pytest.mark.parametrize("evidence", [evidence for evidence, _ in CASES])
def test_our_own_cut_is_the_cause_whatever_followed(evidence: Evidence, cause: Cause) -> None:
    outcome = classify(replace(evidence, cut=Cut(cause, "we ended it")))
    assert outcome.cause is cause
    assert outcome.detail.startswith("we ended it")


def test_only_a_rate_limit_has_a_moment() -> None:
    """A reset that was noted long ago says nothing about a later fault."""
    assert classify(replace(api_error(429, "rate_limit"), resets_at=99.0)).until == 99.0
    assert classify(replace(api_error(529, "server_error"), resets_at=99.0)).until is None


@pytest.mark.parametrize("cause", [cause for cause in Cause if OUTCOMES[cause].kind is OutcomeKind.FATAL])
def test_what_is_fatal_says_what_to_do(cause: Cause) -> None:
    assert OUTCOMES[cause].advice
    assert classify(Evidence(cut=Cut(cause, "it broke"))).detail == f"it broke; {OUTCOMES[cause].advice}"


def test_the_detail_is_one_redacted_line_of_bounded_length() -> None:
    evidence = api_error(None, "unknown", "first\nsecond " + "x" * 5000)
    detail = classify(evidence, redact=lambda text: text.replace("first", "[redacted]")).detail
    assert "[redacted]" in detail
    assert "\n" not in detail
    assert len(detail) < 600


def test_the_last_words_of_a_process_are_told() -> None:
    assert classify(Evidence(exit_code=3, stderr="warming up\nno space left\n")).detail.endswith(
        "exit status 3: no space left"
    )
    assert "SIGKILL" in classify(Evidence(exit_code=-9)).detail


def test_the_agents_last_words_are_nobodys_business() -> None:
    done = Evidence(result=Result("success", is_error=False, text="here is a secret plan"))
    assert "secret" not in classify(done).detail


def test_an_unknown_conversation_is_recognised() -> None:
    errors = ("No conversation found with session ID: 1",)
    assert is_unknown_conversation(
        Evidence(result=Result("error_during_execution", is_error=True, errors=errors))
    )
    assert not is_unknown_conversation(Evidence(exit_code=1))


def test_a_taken_id_is_recognised() -> None:
    assert is_id_taken(Evidence(exit_code=1, stderr="Error: Session ID 1 is already in use."))
    assert not is_id_taken(Evidence(exit_code=1, stderr="port is taken"))


texts = (
    st.none()
    | st.text(max_size=20)
    | st.sampled_from(["api_error", "completed", "max_turns", "refusal", "unknown"])
)


@given(
    st.builds(
        Evidence,
        result=st.none()
        | st.builds(
            Result,
            subtype=st.text(max_size=10) | st.sampled_from(["success", "error_max_turns"]),
            is_error=st.booleans(),
            terminal_reason=texts,
            api_error_status=st.none() | st.integers(0, 999),
            stop_reason=texts,
            text=st.text(max_size=50),
        ),
        error=texts,
        exit_code=st.none() | st.integers(-64, 255),
        problem=st.text(max_size=50),
        stderr=st.text(max_size=50),
        cannot_run=st.booleans(),
        no_resources=st.booleans(),
        is_unreadable=st.booleans(),
    )
)
def test_any_evidence_is_classified(evidence: Evidence) -> None:
    outcome = classify(evidence)
    assert outcome.cause is not Cause.INTERNAL
    assert outcome.detail
    assert symptoms(evidence)[0] is False
