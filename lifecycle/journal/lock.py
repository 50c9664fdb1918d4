"""One manager a project: two kernel locks that die with whoever holds them, however it dies.

Owns taking them, asking for them, and the owner's particulars in `owner.lock`. One lock is on the project directory
itself, so that managers with different state directories exclude each other. The other is on `owner.lock` in the
state directory, of the kind that `status` can ask for without taking it. Both belong to open files and not to
processes: two managers in one process exclude each other too. It refuses to know what an owner does.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from lifecycle.errors import JournalUnavailable, ProjectBusy, ProjectInvalid
from lifecycle.journal.kernel_locks import is_locked, lock_on, started_at, try_lock_directory, try_lock_file
from lifecycle.processes import ProcessIdentity, identity_of, is_alive, this_process
from states.errors import RecordInvalid

__all__ = ["Owner", "ProjectLock", "acquire", "owner"]


@dataclass(frozen=True, slots=True)
class Owner:
    """Who has a project.

    Attributes:
        since: when it took it, ISO 8601 in UTC; None when unknown.
        process: which process, exactly; None when somebody has it who cannot be told.
    """

    since: str | None = None
    process: ProcessIdentity | None = None

    @property
    def pid(self) -> int | None:
        return None if self.process is None else self.process.pid

    @property
    def host(self) -> str | None:
        return None if self.process is None else self.process.host


class ProjectLock:
    """A project that is ours until `release`, the end of the `with` block, or the end of this process.

    Attributes:
        owner: what others are told of us.
    """

    def __init__(self, state_dir: Path, project_dir: Path, owned_by: Owner, files: tuple[int, ...]) -> None:
        self.state_dir = state_dir
        self.project_dir = project_dir
        self.owner = owned_by
        self._files = files
        _HELD.add(self)

    def release(self) -> None:
        """Let the project go. Idempotent."""
        if self._files:
            # Between the next owner's lock and its name nobody is to read ours. It is a courtesy, not the lock.
            with suppress(OSError):
                os.ftruncate(self._files[-1], 0)
        self._close()

    def _close(self) -> None:
        files, self._files = self._files, ()
        _HELD.discard(self)
        for file in reversed(files):
            os.close(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def acquire(state_dir: Path, project_dir: Path) -> ProjectLock:
    """Take the project, or be told who has it. Never waits for it.

    The state directory is made if need be, for this user only.

    Raises:
        ProjectBusy: another manager has it, in another process or in this one; nothing was touched.
        ProjectInvalid: the project directory is not there or cannot be opened.
        JournalUnavailable: the state directory cannot be made or written.
    """
    files = [_open_project(project_dir)]
    try:
        # Everybody begins with the project, so that of two who start at once exactly one wins, and whoever is
        # refused has made nothing.
        if not try_lock_directory(files[0]):
            raise _busy(project_dir, owner(state_dir) or _holder_of(files[0]))
        files.append(_open_state(state_dir, project_dir))
        owned_by = Owner(datetime.now(UTC).isoformat(timespec="seconds"), this_process())  # noqa: TID251  # the owner's own stamp
        _write(state_dir, files[1], owned_by)
    except BaseException:
        for file in files:
            os.close(file)
        raise
    return ProjectLock(state_dir, project_dir, owned_by, tuple(files))


def owner(state_dir: Path) -> Owner | None:
    """Who has the project of this state directory now, or None. Takes nothing, so it disturbs nobody.

    What the file says counts only while the kernel says that it is locked.
    """
    path = _lock_path(state_dir)
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return _owner_of_unreadable(path)
    try:
        return _read(file) if is_locked(file) else None
    except OSError:  # something else than a file is in its place
        return None
    finally:
        os.close(file)


_HELD: Final[set[ProjectLock]] = set()
_ROUNDS: Final = 100
_SETTLING_S: Final = 0.2
"""How long the taker of a lock may need, at most, to write down who it is."""


def _forget_in_child() -> None:
    """A forked child shares the open files, and with them the locks: it must not keep them when we die."""
    for held in list(_HELD):
        held._close()  # noqa: SLF001  # same module


os.register_at_fork(after_in_child=_forget_in_child)


def _lock_path(state_dir: Path) -> Path:
    return state_dir / "owner.lock"


def _open_project(project_dir: Path) -> int:
    try:
        return os.open(project_dir, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        raise ProjectInvalid(project_dir, "there is no such directory; make it first") from None
    except OSError as error:
        raise ProjectInvalid(project_dir, f"it cannot be opened as a directory: {error.strerror}") from error


def _open_state(state_dir: Path, project_dir: Path) -> int:
    """The locked file `owner.lock`: the one that has this name now, and not one that somebody just deleted."""
    path = _lock_path(state_dir)
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        state_dir.chmod(0o700)
        for _ in range(_ROUNDS):
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
            try:
                if not try_lock_file(file):
                    raise _busy(project_dir, _read(file))
                if _has_name(file, path):
                    return file
            except BaseException:
                os.close(file)
                raise
            os.close(file)
    except OSError as error:
        raise JournalUnavailable(
            path, f"{error.strerror}: the state directory must be writable, or another one given with LIFECYCLE_STATE_DIR"
        ) from error
    raise JournalUnavailable(path, "somebody keeps replacing it")


def _has_name(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _write(state_dir: Path, file: int, owned_by: Owner) -> None:
    assert owned_by.process is not None
    content = json.dumps({**owned_by.process.to_record(), "since": owned_by.since}).encode()
    try:
        os.ftruncate(file, 0)
        os.pwrite(file, content, 0)
    except OSError as error:
        raise JournalUnavailable(_lock_path(state_dir), error.strerror or str(error)) from error


def _read(file: int) -> Owner:
    """What the locked file says of its owner, without a name when it is unreadable.

    Between the lock and the writing it says nothing, or still names the one before; both pass in no time.
    """
    deadline = time.monotonic() + _SETTLING_S
    while True:
        found = _parse(os.pread(file, 4096, 0))
        is_settled = found.process is not None and not _is_dead(found.process)
        if is_settled or time.monotonic() >= deadline:
            return found
        time.sleep(0.005)


def _parse(content: bytes) -> Owner:
    try:
        record = json.loads(content)
        process = ProcessIdentity.from_record(record)
        since = record.get("since")
    except (ValueError, RecursionError, RecordInvalid, AttributeError):
        return Owner()
    return Owner(since if isinstance(since, str) else None, process)


def _is_dead(process: ProcessIdentity) -> bool:
    """Whether it is not there any more, as far as can be seen from here."""
    here = this_process()
    return process.host == here.host and process.boot_id == here.boot_id and not is_alive(process)


def _holder_of(directory: int) -> Owner:
    """Who has the project directory locked, without having this state directory's file."""
    lock = lock_on(os.fstat(directory))
    process = None if lock is None or lock.pid is None else identity_of(lock.pid)
    return Owner() if process is None else Owner(started_at(process.start), process)


def _owner_of_unreadable(path: Path) -> Owner | None:
    """The kernel lists the locks of files that we may not open, too."""
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return None if lock_on(status) is None else Owner()


def _busy(project_dir: Path, who: Owner) -> ProjectBusy:
    return ProjectBusy(project_dir, who.pid, who.host, who.since)
