"""The files that a person writes and sessions only read: kept before a session, put back after one that removed them.

What was changed is told and left as it is: it may have been the person, who writes while an agent works. The settings
that count are the journal's anyway, and what the file said before is kept there.
"""

from __future__ import annotations

from lifecycle.events import PersonsFilesTouched
from lifecycle.journal.notes import NoteKind
from lifecycle.work.context import WorkContext
from states.vocabulary import SessionId

__all__ = ["keep_persons_files", "put_persons_files_right"]

_ABSENT = b""
"""Kept for a file that was not there: an empty one is not missed either."""


async def keep_persons_files(context: WorkContext) -> None:
    """Keep what stands before a session."""
    for name, content in (await context.ports.workspace.persons_files()).items():
        await context.ports.journal.keep(name, _ABSENT if content is None else content)


async def put_persons_files_right(context: WorkContext, session_id: SessionId) -> None:
    """Put back what is gone, and tell of that and of what was changed: once for each transition.

    Raises:
        OSError: a file could not be read or written for the machine's fault.
    """
    gone: dict[str, bytes] = {}
    changed: list[str] = []
    for name, content in (await context.ports.workspace.persons_files()).items():
        kept = await context.ports.journal.newest(name)
        if kept is None or kept == (content or _ABSENT):
            continue
        if content is None:
            gone[name] = kept
        else:
            changed.append(name)
    if not (gone or changed):
        return
    # On record first: once they are back, nothing tells any more that they were gone.
    notes = await context.ports.journal.notes(kind=NoteKind.PERSONS_FILES, run_id=context.facts.run_id)
    is_new = all(note.seq != context.seq for note in notes)
    if is_new:
        await context.note(NoteKind.PERSONS_FILES, {"restored": list(gone), "changed": changed})
    problems = [await context.ports.workspace.restore_persons_file(name, kept) for name, kept in gone.items()]
    problem = "; ".join(each for each in problems if each is not None)
    if not is_new and not problem:
        return
    context.emit(
        PersonsFilesTouched(
            at=context.now(),
            run_id=context.facts.run_id,
            session_id=session_id,
            restored=", ".join(name for name, each in zip(gone, problems, strict=True) if each is None),
            changed=", ".join(changed),
            problem=problem,
        )
    )
