"""Rules for programs that create, copy and change files: what they write must lie inside the project.

Owns those programs' options. Reading is not restricted here: the minimal profile reads anywhere, the sandbox decides.
"""

from __future__ import annotations

import re

from lifecycle.guard.call import Call
from lifecycle.guard.names import names
from lifecycle.guard.options import Options
from lifecycle.guard.paths import joined
from lifecycle.guard.values import NAME, is_known, shown

__all__ = ["chmod_any", "chmod_x", "cp", "ln", "mkdir", "mv", "rm", "rmdir", "tee", "touch", "truncate"]

_CP = Options(
    flags="abdfHilLnPpRrsTuvxZ", valued="tS",
    long_flags=names(
    """archive attributes-only copy-contents force interactive link dereference no-clobber no-dereference
    no-target-directory one-file-system parents recursive remove-destination strip-trailing-slashes
    symbolic-link verbose debug"""
),
    long_valued=frozenset({"target-directory", "suffix", "no-preserve", "sparse"}),
    long_attached=frozenset({"backup", "preserve", "reflink", "update", "context"}),
)  # fmt: skip
_MV = Options(
    flags="bfinTuvZ", valued="tS",
    long_flags=names(
    """force interactive no-clobber no-target-directory strip-trailing-slashes verbose debug"""
),
    long_valued=frozenset({"target-directory", "suffix"}), long_attached=frozenset({"backup", "update"}),
)  # fmt: skip
_MKDIR = Options(flags="pvZ", valued="m", long_flags=frozenset({"parents", "verbose"}), long_valued=frozenset({"mode"}))
_TOUCH = Options(
    flags="acfhm", valued="drt", long_flags=frozenset({"no-create", "no-dereference"}),
    long_valued=frozenset({"date", "reference", "time"}),
)  # fmt: skip
_RM = Options(
    flags="dfiIrRv", long_flags=frozenset({"force", "recursive", "dir", "verbose", "one-file-system", "preserve-root"}),
    long_attached=frozenset({"interactive"}),
)  # fmt: skip
_RMDIR = Options(flags="pv", long_flags=frozenset({"ignore-fail-on-non-empty", "parents", "verbose"}))
_TEE = Options(flags="aip", long_flags=frozenset({"append", "ignore-interrupts"}), long_attached=frozenset({"output-error"}))
_TRUNCATE = Options(flags="co", valued="sr", long_flags=frozenset({"no-create", "io-blocks"}), long_valued=frozenset({"size", "reference"}))
_LN = Options(flags="sfnvrT", valued="t", long_flags=frozenset({"symbolic", "force", "no-dereference", "relative", "verbose"}),
              long_valued=frozenset({"target-directory"}))  # fmt: skip
_PLUS_X = re.compile(r"[ugoa]*\+x\Z")
_MODE = re.compile(r"[ugoa]*[-+=][rwxX]*(,[ugoa]*[-+=][rwxX]*)*\Z|0?[0-7]{3}\Z")


def cp(call: Call) -> None:
    """The destination is inside; links lead only to files inside."""
    scanned = _CP.scan(call)
    operands = list(scanned.operands)
    _suffix(call, *scanned.values("S", "suffix"))
    targets = list(scanned.values("t", "target-directory"))
    if not targets:
        if len(operands) < 2:
            call.refuse("it needs a source and a destination")
        targets = [operands.pop()]
    is_directory = scanned.has("t", "target-directory")
    for target in targets:
        call.require_destination(target, operands, is_directory=is_directory)
    if scanned.has("parents") and any(".." in source for source in operands):
        call.refuse("--parents with '..' in a source", "a source without it is accepted")
    if scanned.has("l", "s", "link", "symbolic-link"):
        for source in operands:
            call.require_writable(source, "the link's target")


def mv(call: Call) -> None:
    """Source and destination are inside; what must stay is no source."""
    scanned = _MV.scan(call)
    _suffix(call, *scanned.values("S", "suffix"))
    operands = list(scanned.operands)
    targets = list(scanned.values("t", "target-directory"))
    is_directory = bool(targets)
    if not targets and operands:
        targets = [operands.pop()]
    for path in operands:
        call.require_removable(path, "the source")
    for target in targets:
        call.require_destination(target, operands, is_directory=is_directory)


def ln(call: Call) -> None:
    """A link and its target are inside; a relative target counts from the link's directory, so it has no `..`."""
    scanned = _LN.scan(call)
    for path in (*scanned.operands, *scanned.values("t", "target-directory")):
        call.require_writable(path, "the path")
        if ".." in path.split("/"):
            call.refuse(f"'..' in {shown(path)!r}", "a target without it is accepted")


def mkdir(call: Call) -> None:
    """The directories are inside, and not writable for everybody."""
    scanned = _MKDIR.scan(call)
    for mode in scanned.values("m", "mode"):
        _sane_mode(call, mode)
    for path in scanned.operands:
        call.require_writable(path, "the directory")


def rmdir(call: Call) -> None:
    """The directories are inside."""
    for path in _RMDIR.scan(call).operands:
        call.require_removable(path, "the directory")


def touch(call: Call) -> None:
    """The files are inside."""
    for path in _TOUCH.scan(call).operands:
        call.require_writable(path, "the file", is_glob_counted=False)


def truncate(call: Call) -> None:
    """The files are inside."""
    for path in _TRUNCATE.scan(call).operands:
        call.require_writable(path, "the file")


def tee(call: Call) -> None:
    """The files are inside."""
    for path in _TEE.scan(call).operands:
        if path not in ("/dev/null", "/dev/stderr", "/dev/stdout", "-"):
            call.require_writable(path, "the file")


def rm(call: Call) -> None:
    """The files are inside, and neither the project itself nor its repository nor its record."""
    for path in _RM.scan(call).operands:
        call.require_inside(path, "the file")
        if any(joined(directory, path).removeprefix(call.project).strip("/") in ("", NAME) for directory in call.directories):
            call.refuse(f"{shown(path)!r} is, or could be, the whole project", "paths below it, spelt, are accepted")
        if not _is_lock_of_git(call, path):
            call.require_removable(path, "the file")


def _is_lock_of_git(call: Call, path: str) -> bool:
    """What a killed git leaves behind, and itself says to remove."""
    places = (joined(directory, path).removeprefix(call.project) for directory in call.directories)
    return all(place.startswith("/.git/") and place.endswith(".lock") for place in places)


def chmod_x(call: Call) -> None:
    """Only `+x`, for anybody, on files inside, without options."""
    if len(call.arguments) < 2:
        call.refuse("it needs a mode and a file", "'chmod +x FILE' is accepted")
    if not _PLUS_X.match(call.arguments[0]):
        call.refuse(f"the mode or option {shown(call.arguments[0])!r} is not accepted", "only +x with u, g, o, a before it is")
    for path in call.arguments[1:]:
        if path.startswith("-"):
            call.refuse(f"the option {shown(path)!r} is not accepted", "'chmod +x FILE' is")
        call.require_writable(path, "the file", is_glob_counted=False)


def chmod_any(call: Call) -> None:
    """Ordinary modes on files inside; never write permission for everybody."""
    arguments = [argument for argument in call.arguments if argument not in ("-R", "-v", "-c", "-f", "--recursive")]
    if len(arguments) < 2:
        call.refuse("it needs a mode and a file", "'chmod +x FILE' is accepted")
    _sane_mode(call, arguments[0])
    for path in arguments[1:]:
        if path.startswith("-"):
            call.refuse(f"the option {shown(path)!r} is not accepted", "-R is")
        call.require_writable(path, "the file", is_glob_counted=False)


def _sane_mode(call: Call, mode: str) -> None:
    if not _MODE.match(mode) or (mode.isdigit() and int(mode[-1]) & 2):
        call.refuse(f"the mode {shown(mode)!r} is not accepted", "modes such as +x, u+rw, 644 and 755 are")
    if any(re.match(r"[ug]*[oa][ugoa]*[+=]|[+=]", clause) and "w" in clause for clause in mode.split(",")):
        call.refuse(f"the mode {shown(mode)!r} lets everybody write", "modes such as +x, u+rw, 644 and 755 are accepted")


def _suffix(call: Call, *values: str) -> None:
    for value in values:
        if "/" in value or not is_known(value):
            call.refuse(f"the backup suffix {shown(value)!r} is not accepted", "one without '/' is")
