"""Every way in which a real endpoint fails, by name: the replies for tests of what comes after.

`FAULTS` has one of each that needs no argument. The wording is the Messages API's, since the agent reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lifecycle.offline.replies import Drop, Fault, Malformed, Reply, Stall

__all__ = ["FAULTS", "rate_limited", "rate_limited_until"]


def rate_limited(retry_after_s: int | None = None) -> Fault:
    """429; up to 60 s the agent waits by itself, beyond that it gives up at once."""
    headers = {} if retry_after_s is None else {"retry-after": str(retry_after_s)}
    return Fault(429, "rate_limit_error", "This request would exceed your rate limit.", headers)


def rate_limited_until(resets_at: int, claim: str = "five_hour") -> Fault:
    """429 of a subscription's limit, with its reset in seconds since the epoch; read under OAuth only."""
    prefix = "anthropic-ratelimit-unified"
    headers = {
        f"{prefix}-status": "rejected",
        f"{prefix}-reset": str(resets_at),
        f"{prefix}-representative-claim": claim,
        f"{prefix}-overage-status": "rejected",
    }
    return Fault(429, "rate_limit_error", "This request would exceed your account's rate limit.", headers)


CREDIT_TOO_LOW = (
    "Your credit balance is too low to access the Anthropic API. "
    "Please go to Plans & Billing to upgrade or purchase credits."
)
LOST_TOOL_USE = (
    "messages.2.content.0: unexpected `tool_use_id` found in `tool_result` blocks: toolu_lost. "
    "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
)

FAULTS: Mapping[str, Reply] = MappingProxyType(
    {
        "rate_limited": rate_limited(),
        "rate_limited_shortly": rate_limited(1),
        "rate_limited_for_long": rate_limited(3600),
        "overloaded": Fault(529, "overloaded_error", "Overloaded"),
        "overloaded_in_stream": Fault(529, "overloaded_error", "Overloaded", in_stream=True),
        "internal_error": Fault(500, "api_error", "Internal server error"),
        "unauthorized": Fault(401, "authentication_error", "invalid x-api-key"),
        "forbidden": Fault(403, "permission_error", "Your API key does not have permission for this."),
        "credit_too_low": Fault(400, "invalid_request_error", CREDIT_TOO_LOW),
        "payment_required": Fault(402, "billing_error", "Your account has a billing problem."),
        "prompt_too_long": Fault(
            400, "invalid_request_error", "prompt is too long: 231072 tokens > 200000 maximum"
        ),
        "lost_tool_use": Fault(400, "invalid_request_error", LOST_TOOL_USE),
        "model_not_found": Fault(404, "not_found_error", "model: no-such-model"),
        "dropped_before_headers": Drop("before_headers"),
        "dropped_mid_stream": Drop("mid_stream"),
        "html": Malformed("html"),
        "broken_events": Malformed("events"),
        "unfinished_stream": Malformed("unfinished"),
        "stalled_before_headers": Stall("nothing"),
        "stalled_after_headers": Stall("headers"),
        "stalled_after_text": Stall("text"),
        "stalled_with_pings": Stall("text", ping_every_s=1.0),
    }
)
