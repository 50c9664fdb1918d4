"""The kinds of notes: what is durable beside the transitions. Owns the words, not their writing."""

from __future__ import annotations

from enum import StrEnum


class NoteKind(StrEnum):
    """What a note tells. Every value is stable on disk: rename a member, never its value.

    A host may write notes of kinds of its own; the journal keeps any string.
    """

    STARTED = "started"
    """A manager took the project: its process, and the limits and configuration it goes by."""

    RECOVERED = "recovered"
    """A state's work was taken up again after its predecessor died in it: the state and the new process."""

    AGENT_STARTED = "agent_started"
    """An agent process runs and has spent nothing yet: the process, to be reaped should its manager die."""

    AGENT_REAPED = "agent_reaped"
    """Processes that a dead manager left behind were ended: which, and how many."""

    PROMPT = "prompt"
    """An explicit prompt was given for the next new session."""

    SPEC_CHANGED = "spec_changed"
    """Another specification took the place of `app_spec.txt`: both digests."""

    FEATURE_LIST_RESTORED = "feature_list_restored"
    """An unreadable feature list was replaced by the newest good copy: the problem and the copy's source."""

    FEATURE_LIST_SET_ASIDE = "feature_list_set_aside"
    """An invalid feature list was moved out of the way: the problem and its new name."""

    FEATURES_CHANGED = "features_changed"
    """Somebody other than the agent added, removed or reworded features between two sessions: which."""

    RULE_BROKEN = "rule_broken"
    """The agent changed more of a feature than `passes`; it was undone: which features, and how."""

    SESSION_SAVED = "session_saved"
    """END saved a session: what it changed, and how many turns and dollars it used."""

    FAULT = "fault"
    """A fault of ours: the state, the error and its traceback."""

    WARNING = "warning"
    """Something that a person should know and that stopped nothing."""
