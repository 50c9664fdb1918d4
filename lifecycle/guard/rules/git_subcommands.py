"""git's accepted subcommands, and what each of them refuses.

Owns the table. What is not in it is refused: an unknown word may be an alias, which may be any program.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SUBCOMMANDS", "Subcommand"]


@dataclass(frozen=True, slots=True)
class Subcommand:
    """What a subcommand refuses.

    Attributes:
        long: long options, refused with every abbreviation.
        short: short options, refused alone and in clusters.
        valued: short options that take a value, attached or apart, so that the rest of a cluster is text.
        attached: short options whose value is only ever attached.
        writes: long options whose value is a path that is written.
        writes_short: the same, short.
        open: whether arguments of unknown text are harmless: nothing it accepts runs or writes elsewhere.
        remote: whether its operands can be URLs or other repositories.
        valued_long: long options whose next argument is their value.
    """

    long: tuple[str, ...] = ()
    short: str = ""
    valued: str = ""
    attached: str = ""
    writes: tuple[str, ...] = ()
    writes_short: str = ""
    open: bool = False
    remote: bool = False
    valued_long: tuple[str, ...] = ()


_DIFF = ("ext-diff",)
_MESSAGE = ("message", "file", "author", "date", "template", "reuse-message", "reedit-message", "fixup", "squash", "trailer", "cleanup")
_SHOW = Subcommand(long=_DIFF, valued="nGSL", attached="UlOCMBX", writes=("output",), valued_long=(
    "format", "pretty", "since", "until", "after", "before", "author", "committer", "grep", "max-count", "skip", "date"))
_PLAIN = Subcommand(open=True)
_GC = Subcommand(writes=("filter-to", "expire-to"))
_FETCH = ("upload-pack", "exec", "receive-pack", "server-option")
SUBCOMMANDS: dict[str, Subcommand] = {
    "add": Subcommand(open=True), "status": _PLAIN, "rm": _PLAIN, "mv": _PLAIN, "reset": _PLAIN, "restore": _PLAIN, "switch": _PLAIN,
    "checkout": _PLAIN, "stash": Subcommand(long=_DIFF, valued="m", writes=("output",), valued_long=("message",)), "clean": _PLAIN, "rev-parse": _PLAIN, "merge-base": _PLAIN, "describe": _PLAIN,
    "ls-files": _PLAIN, "ls-tree": _PLAIN, "show-ref": _PLAIN, "update-ref": _PLAIN, "symbolic-ref": _PLAIN, "check-ignore": _PLAIN,
    "check-attr": _PLAIN, "check-ref-format": _PLAIN, "count-objects": _PLAIN, "name-rev": _PLAIN, "cherry": _PLAIN,
    "sparse-checkout": _PLAIN, "fsck": _PLAIN, "prune": _PLAIN, "pack-refs": _PLAIN, "gc": _GC, "repack": _GC,
    "verify-commit": _PLAIN, "verify-tag": _PLAIN, "stripspace": _PLAIN, "version": _PLAIN, "show-branch": _PLAIN,
    "write-tree": _PLAIN, "commit-tree": _PLAIN, "mktree": _PLAIN, "hash-object": _PLAIN, "update-index": _PLAIN, "rerere": _PLAIN,
    "whatchanged": _SHOW, "annotate": _SHOW, "var": _PLAIN, "merge-tree": _PLAIN, "patch-id": _PLAIN, "for-each-ref": _PLAIN,
    "branch": Subcommand(open=True), "tag": Subcommand(open=True),
    "commit": Subcommand(open=True, valued="mFCct", valued_long=_MESSAGE),
    "diff": _SHOW, "log": _SHOW, "show": _SHOW, "reflog": _SHOW, "rev-list": _SHOW, "shortlog": _SHOW, "range-diff": _SHOW,
    "blame": _SHOW, "diff-tree": _SHOW, "diff-index": _SHOW, "diff-files": _SHOW,
    "notes": Subcommand(valued="mFCc"),
    "grep": Subcommand(long=("open-files-in-pager", "ext-grep"), short="O", valued="efmABC"),
    "cat-file": Subcommand(long=("textconv", "filters")),
    "cherry-pick": Subcommand(valued="Xm"),
    "revert": Subcommand(valued="Xm"),
    "merge": Subcommand(valued="mFX", valued_long=("message", "file", "strategy-option")),
    "am": Subcommand(valued="CpX", long=("build-fake-ancestor",)),
    "apply": Subcommand(long=("unsafe-paths", "build-fake-ancestor"), valued="Cp"),
    "rebase": Subcommand(long=("exec",), short="x", valued="XC"),
    "format-patch": Subcommand(long=_DIFF, valued="vGS", attached="UlOCM", writes=("output", "output-directory"), writes_short="o"),
    "archive": Subcommand(long=("exec", "remote"), writes=("output",), writes_short="o"),
    "bundle": Subcommand(valued=""),
    "init": Subcommand(long=("template", "separate-git-dir"), valued="b", valued_long=("initial-branch", "object-format", "ref-format")),
    "clone": Subcommand(long=("template", "upload-pack", "separate-git-dir", "exec", "bundle-uri"), short="u", valued="objcb", remote=True,
                  valued_long=("origin", "branch", "depth", "jobs", "filter", "config", "reference", "shallow-since")),
    "fetch": Subcommand(long=_FETCH, valued="jo", remote=True), "pull": Subcommand(long=_FETCH, valued="jsXo", remote=True),
    "ls-remote": Subcommand(long=_FETCH, valued="o", remote=True),
    "push": Subcommand(long=(*_FETCH, "repo"), valued="o", remote=True, valued_long=("push-option",)),
    "remote": Subcommand(valued="tm", remote=True, valued_long=("track", "master")),
    "worktree": Subcommand(valued="bB", valued_long=("reason", "expire")),
    "submodule": Subcommand(valued="bj", remote=True, valued_long=("branch", "name", "depth", "jobs")),
    "bisect": Subcommand(),
    "config": Subcommand(),
    "help": Subcommand(),
}  # fmt: skip
