"""What each event says to a person: one short phrase an event, none over two.

Owns the words of the console. An event without a phrase here is told by its fields. The text that an agent may have
written comes out on one line, without control characters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from lifecycle import events
from lifecycle.events import Event
from lifecycle.workspace.untrusted import one_line
from states.vocabulary import Cause, State

__all__ = ["phrase"]

Fields = Mapping[str, Any]


def phrase(name: str, fields: Fields) -> str:
    """What the event of this name and these fields says; empty where that would only be noise.

    >>> phrase("stop_requested", {"by": "SIGTERM"})
    'stop requested by SIGTERM: saving first'
    """
    say = _PHRASES.get(name)
    if say is not None:
        return say(_Shown(fields))
    told = ", ".join(f"{key} {one_line(str(value), _LONG)}" for key, value in fields.items() if key != "run_id")
    return f"{name.replace('_', ' ')}: {told}" if told else name.replace("_", " ")


class _Shown(dict[str, Any]):
    """The fields as they may be printed; what is not there is empty."""

    def __init__(self, fields: Fields) -> None:
        super().__init__(
            {key: one_line(value, _LONG) if isinstance(value, str) else value for key, value in fields.items()}
        )

    def __missing__(self, key: str) -> str:
        return ""


_LONG: Final = 400


def _transition(told: Fields) -> str:
    move = f"{told['source']} -> {told['dest']}"
    rest = _ENTERED[told["dest"]](told) if told["dest"] in _ENTERED else ""
    return f"{move:<20} {rest}".rstrip()


def _detect(told: Fields) -> str:
    return f"run {told['run_id'][:8]}" if told["source"] == State.NEW else ""


def _create(told: Fields) -> str:
    return _joined(f"{told['session_type']} session next", _features(told))


def _run(told: Fields) -> str:
    return f"iteration {told['iteration']}: {told['session_type']} session {told['session_id'][:8]}"


def _end(told: Fields) -> str:
    if not told["outcome"]:
        return _features(told)
    outcome = told["outcome"].replace("_", " ")
    return outcome if told["outcome"] == Cause.END_TURN else _joined(outcome, told["detail"])


def _continue(told: Fields) -> str:
    wait = f"next at {told['resume_at']}" if told["resume_at"] else ""
    return _joined(_features(told), _cost(told), wait)


def _shutdown(told: Fields) -> str:
    reason = told["reason"].replace("_", " ")
    detail = "" if told["reason"] in ("complete", "interrupted") else told["detail"]
    return _joined(reason, _features(told), _cost(told), detail)


_ENTERED: Final[Mapping[str, Callable[[Fields], str]]] = {
    State.DETECT: _detect,
    State.CREATE: _create,
    State.RUN: _run,
    State.END: _end,
    State.CONTINUE: _continue,
    State.SHUTDOWN: _shutdown,
}


def _features(told: Fields) -> str:
    return f"{told['features_passing']}/{told['features_total']} features pass" if told["features_total"] else ""


def _cost(told: Fields) -> str:
    return f"${told['cost_usd']:.2f}" if told["cost_usd"] else ""


def _saved(told: Fields) -> str:
    found = [
        f"{told[key]} {noun}"
        for key, noun in (
            ("newly_passing", "newly passing"),
            ("regressed", "no longer passing"),
            ("new_commits", "new commit" if told["new_commits"] == 1 else "new commits"),
        )
        if told[key]
    ]
    return f"session saved: {', '.join(found) or 'nothing new'}"


def _how_many(count: int) -> str:
    return "1 feature" if count == 1 else f"{count} features"


def _rule_broken(told: Fields) -> str:
    which = f"{_how_many(told['count'])} {told['rule']} ({told['features']})" if told["count"] else told["rule"]
    problem = f": {told['problem']}" if told["problem"] else ""
    return f"feature_list.json undone: {which}{problem}"


def _verified(told: Fields) -> str:
    is_one = told["claims"] == 1
    fate = f"stand{'s' if is_one else ''}" if told["verdict"] == "passed" else f"{'is' if is_one else 'are'} taken back"
    return f"{told['detail']}: {told['claims']} {'claim' if told['claims'] == 1 else 'claims'} {fate}"


def _unread(told: Fields) -> str:
    return (
        f"no session will read the new app_spec.txt: all {told['features']} features of feature_list.json pass already. Add "
        'what is new to that list, with "passes": false, or move the list away to have one written anew'
    )


def _started(told: Fields) -> str:
    verb = "resumes" if told["is_resumption"] else "begins"
    process = f" (pid {told['pid']})" if told["pid"] else ""
    return f"the agent{process} {verb} session {told['session_id'][:8]}"


def _retried(told: Fields) -> str:
    status = f" with {told['status']}" if told["status"] else ""
    return f"request failed{status} ({told['error']}), attempt {told['attempt']} follows"


def _rate_limit(told: Fields) -> str:
    used = f"{told['utilization']:.0%} used" if told["utilization"] else ""
    reset = f"resets at {told['resets_at']}" if told["resets_at"] else ""
    return f"rate limit {told['status']}: {_joined(used, reset) or 'no more is known'}"


def _persons_files(told: Fields) -> str:
    return _joined(
        f"put back what the session had removed: {told['restored']}" if told["restored"] else "",
        f"changed while the session ran: {told['changed']}" if told["changed"] else "",
        told["problem"],
    )


def _fault(told: Fields) -> str:
    return _joined(f"fault{' in ' + told['state'] if told['state'] else ''}", told["error"], told["place"])


def _hosts(listed: str) -> str:
    """As many as a person reads in a line of a log; the event has them all."""
    hosts = listed.split(",") if listed else []
    if len(hosts) > _HOSTS_NAMED_MAX:
        return f"{len(hosts)} hosts (sandbox_hosts)"
    return " and ".join(hosts) or "no host"


_HOSTS_NAMED_MAX: Final = 2


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _named(event: type[Event], say: Callable[[Fields], str]) -> tuple[str, Callable[[Fields], str]]:
    return event.name, say


_PHRASES: Final[Mapping[str, Callable[[Fields], str]]] = dict(
    (
        _named(events.Transitioned, _transition),
        _named(events.Recovered, lambda told: f"taking up {told['state']} again, in which a manager ended"),
        _named(events.LeftoversReaped, lambda told: f"ended {told['processes']} {'process' if told['processes'] == 1 else 'processes'} of a dead manager"),
        _named(events.StopRequested, lambda told: f"stop requested by {told['by']}: saving first"),
        _named(
            events.SandboxOn,
            lambda told: f"sandbox: commands write in the project only and reach {_hosts(told['hosts'])}",
        ),
        _named(
            events.SandboxMissing,
            lambda told: f"NO SANDBOX: commands can write and read whatever you can, and reach any host: {told['problem']}",
        ),
        _named(events.SandboxOff, lambda told: "no sandbox, as set: commands can do whatever you can"),
        _named(events.SpecificationChanged, lambda told: f"app_spec.txt {told['change']}"),
        _named(events.SpecificationUnread, _unread),
        _named(
            events.FeatureListRestored,
            lambda told: f"feature_list.json restored from {told['source']}: {told['problem']}",
        ),
        _named(
            events.FeatureListSetAside,
            lambda told: f"feature_list.json moved to {told['moved_to']}: {told['problem']}",
        ),
        _named(events.RuleBroken, _rule_broken),
        _named(
            events.FeaturesAppended,
            lambda told: f"the agent appended {_how_many(told['count'])}: {told['features']}",
        ),
        _named(events.FeaturesChanged, lambda told: f"the feature list was changed meanwhile: {told['changes']}"),
        _named(events.PersonsFilesTouched, _persons_files),
        _named(events.ClaimsVerified, _verified),
        _named(
            events.WorkSalvaged,
            lambda told: _joined(
                f"uncommitted work in {told['files']} files kept under {told['ref']}",
                f"{told['skipped']} left out" if told["skipped"] else "",
            ),
        ),
        _named(events.SessionSaved, _saved),
        _named(events.AgentStarted, _started),
        _named(events.ToolStarted, lambda told: f"  {told['tool']}  {told['summary']}"),
        _named(events.ToolDenied, lambda told: f"  {told['tool']} refused: {told['reason']}"),
        _named(events.HostRefused, lambda told: f"  {told['host']}:{told['port']} refused: not among sandbox_hosts"),
        _named(events.Said, lambda told: f"  {told['text']}"),
        _named(events.TurnUsed, lambda told: ""),  # the progress line has it
        _named(
            events.ModelUnpriced,
            lambda told: f"the price of {told['model']} is unknown: it counts as the dearest, against the budget, too",
        ),
        _named(events.RequestRetried, _retried),
        _named(events.RateLimitNoted, _rate_limit),
        _named(events.Fault, _fault),
    )
)
