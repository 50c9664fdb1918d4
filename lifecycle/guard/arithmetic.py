"""Whether evaluating an arithmetic expression can run anything but arithmetic.

bash evaluates the *values* of the names in it as expressions again, and an array subscript in such a value may hold a
command substitution: `x='a[$(id)]'; ((x))` runs id. Owns that question. The expressions' own substitutions are the
analyser's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lifecycle.guard.refusal import Refused
from lifecycle.guard.values import ENV, JOB, NUM

__all__ = ["assigned_names", "check_expression"]

_NAMES = re.compile(r"(?<![0-9A-Za-z_#@])[A-Za-z_][A-Za-z0-9_]*")
_ASSIGNED = re.compile(
    r"(?<![0-9A-Za-z_#@])([A-Za-z_][A-Za-z0-9_]*)\s*(?:\[[^\]]*\])?\s*(?:(?:<<|>>|[-+*/%&|^])?=(?!=)|\+\+|--)"
    r"|(?:\+\+|--)\s*([A-Za-z_][A-Za-z0-9_]*)"
)
_SAFE = re.compile(f"[A-Za-z0-9_ \t\n+*/%<>=!&|^~?:,()#@.;{ENV}{NUM}{JOB}-]*\\Z")

# Set by bash itself to text that the command line or the directory chooses.
_TEXT_OF_BASH = re.compile(
    r"BASH(?!PID$|_SUBSHELL$)\w*|_|PWD|OLDPWD|REPLY|DIRSTACK|FUNCNAME|OPTARG|COMP_\w*|PS[0-4]|IFS|HOME|PATH|READLINE_\w*|MAPFILE"
)
_DEPTH_MAX = 8


def assigned_names(expression: str) -> list[str]:
    """The variables that the expression assigns.

    >>> assigned_names("i += 2, j == 3, k++")
    ['i', 'k']
    """
    return [first or second for first, second in _ASSIGNED.findall(expression)]


def check_expression(expression: str, variables: Mapping[str, str], known: bool = True) -> None:
    """Refuse an expression whose names or texts could hold a command substitution when bash evaluates them.

    Args:
        expression: with every expansion already replaced by its value.
        variables: what the script assigned; other names are the environment's.
        known: the text was checked while it was read, so that its own brackets are fine.

    Raises:
        Refused: rule "arithmetic".
    """
    _check(expression, variables, known, 0)


def _check(expression: str, variables: Mapping[str, str], known: bool, depth: int) -> None:
    if expression.isdigit():
        return
    if depth > _DEPTH_MAX or not _SAFE.match(expression.replace("[", "").replace("]", "") if known else expression):
        raise Refused(
            "arithmetic",
            "bash evaluates this value as an expression, which can run commands; "
            "numbers, and variables that hold numbers, are accepted in arithmetic",
        )
    for name in _NAMES.findall(expression):
        if _TEXT_OF_BASH.fullmatch(name):
            raise Refused("arithmetic", f"${name} holds text, which bash would evaluate; use a variable with a number")
        value = variables.get(name)
        if value is not None:
            _check(value, variables, False, depth + 1)
