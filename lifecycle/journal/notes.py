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
    """The agent broke the feature rule; it was undone: how, and which features."""

    FEATURES_APPENDED = "features_appended"
    """The agent appended features, and they were kept: which."""

    PERSONS_FILES = "persons_files"
    """A session ended and files that a person writes were gone, and put back, or were changed: which."""

    VERIFIED = "verified"
    """The verification command judged a session's claims: how it ended, which claims, and what it printed."""

    LAST_WORDS = "last_words"
    """The last that the agent said in a leg of a session."""

    SALVAGED = "salvaged"
    """Uncommitted work was kept under a git reference: which, how many files, and what was left out."""

    SAVE_FAILED = "save_failed"
    """END could not save a session: why. DETECT tries again before it reads the project."""

    SESSION_SAVED = "session_saved"
    """END saved a leg of a session: everything it found, so that a repetition gives the same."""

    FAULT = "fault"
    """A fault of ours: the state, the error and its traceback."""

    WARNING = "warning"
    """Something that a person should know and that stopped nothing."""
