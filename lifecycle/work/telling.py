"""What the manager found and did, in words: for the next session, and at once for the one at work.

Everything comes from the journal's notes, so that it is the same however often it is asked for. What is quoted was
written by an agent or a program: it is bounded and fenced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from lifecycle.journal.notes import NoteKind
from lifecycle.ports import Broken, Journal, ListCheck, Note
from lifecycle.workspace.untrusted import fenced, one_line
from states.vocabulary import SessionId

__all__ = ["broken_words", "list_words", "news_for_new_session", "news_for_resumption", "to_record", "undone_words"]


async def news_for_new_session(journal: Journal) -> str:
    """What the next session must know of the last one's end and of what happened since, as Markdown; may be empty."""
    notes = await journal.notes()
    saved = next((at for at in reversed(range(len(notes))) if notes[at].kind == NoteKind.SESSION_SAVED), None)
    if saved is None:
        return ""
    last = notes[saved].session_id
    return _told([note for at, note in enumerate(notes) if note.session_id == last or at > saved])


async def news_for_resumption(journal: Journal, session_id: SessionId) -> str:
    """What a conversation that goes on must know of what happened since it was cut off; may be empty."""
    notes = await journal.notes()
    if not any(note.kind == NoteKind.SESSION_SAVED and note.session_id == session_id for note in notes):
        return ""
    return _told([note for note in notes if note.session_id == session_id])


def undone_words(broken: Iterable[Broken]) -> str:
    """For the agent that has just broken the rule."""
    lines = "; ".join(broken_words(breach) for breach in broken)
    return (
        f"feature_list.json broke the project's rule and was put right: {lines}. In this file nothing but the value "
        "of `passes` may change. Read it again before you edit it."
    )


def broken_words(breach: Broken) -> str:
    """One breach in words.

    >>> broken_words(Broken("removed", ("a", "b"), 3))
    '3 features were removed (a, b, ...)'
    """
    if breach.problem:
        return f"the list was {breach.rule}: {one_line(breach.problem, 200)}"
    if not breach.count:
        return f"the list was {breach.rule}"
    were = "feature was" if breach.count == 1 else "features were"
    return f"{breach.count} {were} {breach.rule}{_named(breach.features, breach.count)}"


def list_words(check: ListCheck) -> str:
    """What was made of a list between two sessions."""
    parts = [broken_words(breach) for breach in check.broken]
    for verb, names in (("added", check.appended), ("marked as passing", check.claimed), ("no longer passing", check.regressed)):
        if names:
            parts.append(f"{len(names)} {verb}{_named(names, len(names))}")
    return "; ".join(parts)


def to_record(broken: Iterable[Broken]) -> list[dict[str, Any]]:
    """Breaches as plain data for a note."""
    return [
        {"rule": breach.rule, "features": list(breach.features), "count": breach.count, "problem": breach.problem}
        for breach in broken
    ]


def _told(notes: Sequence[Note]) -> str:
    told: dict[str, None] = {}
    for note in notes:
        say = _WORDS.get(note.kind)
        if say is not None and (words := say(note.data)):
            told[words] = None
    if not told:
        return ""
    shown = list(told)[-_TOLD_MAX:]
    return "## What the manager found and did since\n\n" + "\n".join(f"- {words}" for words in shown)


def _rule_broken(data: Mapping[str, Any]) -> str:
    breaches = [Broken(each["rule"], tuple(each["features"]), each["count"], each["problem"]) for each in data["broken"]]
    words = "; ".join(broken_words(breach) for breach in breaches)
    return f"`feature_list.json` broke the rule, which was undone: {words}. Only `passes` may ever change."


def _verified(data: Mapping[str, Any]) -> str:
    if data["verdict"] == "passed":
        return ""
    words = (
        f"{one_line(data['detail'], 200)}. So the {data['count']} features that the session had newly marked as passing "
        f"are set back to false{_named(data['claims'], data['count'])}. Find out why, mend it, and mark them again."
    )
    output = data["output"][-_OUTPUT_MAX_CHARS:]
    return f"{words} The command printed:\n\n{fenced(output)}" if output.strip() else words


def _salvaged(data: Mapping[str, Any]) -> str:
    if not data.get("ref"):
        return ""
    return f"{data['files']} files that were not committed when the session was cut off are also kept: `git show {data['ref']}`."


def _named(names: Sequence[str], count: int) -> str:
    if not names:
        return ""
    shown = ", ".join(one_line(name, 80) for name in names[:_NAMES_MAX])
    return f" ({shown}{', ...' if count > min(len(names), _NAMES_MAX) else ''})"


def _persons_files(data: Mapping[str, Any]) -> str:
    words = [f"`{one_line(name, 100)}` was removed while the session ran, and put back: it stays" for name in data["restored"]]
    words += [f"`{one_line(name, 100)}` was changed while the session ran: read it again" for name in data["changed"]]
    return f"{'; '.join(words)}." if words else ""


_WORDS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    NoteKind.RULE_BROKEN: _rule_broken,
    NoteKind.PERSONS_FILES: _persons_files,
    NoteKind.VERIFIED: _verified,
    NoteKind.SALVAGED: _salvaged,
    NoteKind.FEATURE_LIST_RESTORED: lambda data: (
        f"`feature_list.json` was put back from {one_line(data['source'], 100)}: {one_line(data['problem'], 200)}."
    ),
    NoteKind.FEATURE_LIST_SET_ASIDE: lambda data: (
        f"`feature_list.json` was no feature list ({one_line(data['problem'], 200)}) and was moved to "
        f"`{one_line(data['moved_to'], 100)}`."
    ),
    NoteKind.FEATURES_CHANGED: lambda data: (
        f"`feature_list.json` was changed by a person meanwhile: {one_line(data['changes'], 400)}."
    ),
}

_NAMES_MAX: Final = 10
_TOLD_MAX: Final = 12
_OUTPUT_MAX_CHARS: Final = 4_000
