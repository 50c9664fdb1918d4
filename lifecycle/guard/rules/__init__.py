"""The argument rules: one small function a program, and the table that finds it.

Owns which function judges which program. A program in a profile without a rule here is accepted with any arguments.
"""

from __future__ import annotations

from collections.abc import Callable

from lifecycle.guard.call import Call
from lifecycle.guard.rules import builtins, files, processes, text, wrappers
from lifecycle.guard.rules.git import git
from lifecycle.guard.rules.languages import LANGUAGES, python_with_code
from lifecycle.guard.rules.node import node, node_with_code
from lifecycle.guard.rules.npm import npm

__all__ = ["RULES", "STANDARD_RULES", "Rule"]

Rule = Callable[[Call], None]

RULES: dict[str, Rule] = {
    **LANGUAGES,
    "cp": files.cp, "mv": files.mv, "ln": files.ln, "mkdir": files.mkdir, "rmdir": files.rmdir, "touch": files.touch,
    "tee": files.tee, "rm": files.rm, "chmod": files.chmod_x, "truncate": files.truncate,
    "pkill": processes.pkill, "kill": processes.kill, "lsof": processes.lsof,
    "node": node, "npm": npm, "git": git,
    "[": builtins.test, "test": builtins.test, "exit": builtins.return_, "return": builtins.return_, "wait": builtins.wait,
    "printf": builtins.printf, "read": builtins.read, "export": builtins.declare, "local": builtins.declare,
    "readonly": builtins.declare, "declare": builtins.declare, "unset": builtins.unset, "set": builtins.set_,
    "command": builtins.command, "source": builtins.source, ".": builtins.source,
    "env": wrappers.env, "timeout": wrappers.timeout, "nice": wrappers.nice, "nohup": wrappers.nohup,
    "stdbuf": wrappers.stdbuf, "time": wrappers.time_, "xargs": wrappers.xargs, "find": wrappers.find,
    "sh": wrappers.shell, "bash": wrappers.shell,
    "sort": text.sort, "uniq": text.uniq, "sed": text.sed, "awk": text.awk, "gawk": text.awk, "mawk": text.awk,
    "date": text.date, "tree": text.tree, "curl": text.curl,
}  # fmt: skip

STANDARD_RULES: dict[str, Rule] = {
    "chmod": files.chmod_any, "pkill": processes.pkill_development,
    "node": node_with_code, "python": python_with_code, "python3": python_with_code,
}  # fmt: skip
"""What the standard profile judges otherwise. It accepts code for an interpreter: a file of the project, which it accepts
as well, can hold the same code, and what code does is the sandbox's business."""
