"""Whether evaluating an arithmetic expression can run anything but arithmetic.

bash evaluates the *values* of the names in it as expressions again, and an array subscript in such a value may hold a
command substitution: `x='a[$(id)]'; ((x))` runs id. Owns that question. The expressions' own substitutions are the
analyser's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from lifecycle.guard.refusal import Refused
from lifecycle.guard.values import ENV, JOB, MAYBE, NUM

__all__ = ["TEXT_OF_BASH", "assigned_names", "base_of", "check_expression", "initialised"]

_NAMES = re.compile(r"(?<![0-9A-Za-z_#@])[A-Za-z_][A-Za-z0-9_]*")
_ASSIGNED = re.compile(
    r"(?<![0-9A-Za-z_#@])([A-Za-z_][A-Za-z0-9_]*)\s*(?:\[[^\]]*\])?\s*(?:(?:<<|>>|[-+*/%&|^])?=(?!=)|\+\+|--)"
    r"|(?:\+\+|--)\s*([A-Za-z_][A-Za-z0-9_]*)"
)
_SAFE = re.compile(f"[A-Za-z0-9_ \t\n+*/%<>=!&|^~?:,()#@.;{ENV}{NUM}{JOB}{MAYBE}-]*\\Z")

# Set by bash itself to text that the command line or the directory chooses.
TEXT_OF_BASH = re.compile(
    r"BASH(?!PID$|_SUBSHELL$)\w*|_|PWD|OLDPWD|REPLY|DIRSTACK|FUNCNAME|OPTARG|COMP_\w*|PS[0-4]|IFS|HOME|PATH|READLINE_\w*|MAPFILE"
)
# A name of which a part is not known may be any name.
_GLUED = re.compile(f"(?<![0-9A-Za-z_])[A-Za-z_][A-Za-z0-9_]*[{ENV}{NUM}{JOB}]|[{ENV}{NUM}{JOB}{MAYBE}][0-9]*[A-Za-z_]")
_INITIAL = re.compile(f"\\s*([A-Za-z_][A-Za-z0-9_]*)\\s*=\\s*-?[0-9{NUM}]+\\s*(?:[;,]|\\Z)")
# Numbers by nature, or names that no environment has: those of its variables are written in capitals.
_NEVER_TEXT = re.compile(r"RANDOM|SRANDOM|SECONDS|EPOCHSECONDS|LINENO|UID|EUID|PPID|SHLVL|OPTIND|BASHPID|BASH_SUBSHELL|(?!\w+_proxy|npm_)[a-z][a-z0-9_]*")
_DEPTH_MAX = 8
_VARIABLES_MAX = 64


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
    if _check(expression, variables, known, 0):
        _check_all(variables)


@lru_cache(maxsize=4096)
def base_of(name: str) -> str:
    """What a name holds that the script did not assign: the environment's text, or nothing but perhaps a number."""
    return NUM + MAYBE if _NEVER_TEXT.fullmatch(name) else ENV


def _check(expression: str, variables: Mapping[str, str], known: bool, depth: int) -> bool:
    """Whether the environment's text is evaluated, directly or through a variable."""
    if expression.isdigit():
        return False
    bare = expression.replace("[", "").replace("]", "") if known else expression
    if depth > _DEPTH_MAX or not _SAFE.match(bare) or _GLUED.search(expression):
        raise Refused(
            "arithmetic",
            "bash evaluates this value as an expression, which can run commands; "
            "numbers, and variables that hold numbers, are accepted in arithmetic",
        )
    is_foreign = ENV in expression
    ours = initialised(expression)
    for name in _NAMES.findall(expression):
        if TEXT_OF_BASH.fullmatch(name):
            raise Refused("arithmetic", f"${name} holds text, which bash would evaluate; use a variable with a number")
        value = variables.get(name)
        if value is not None:
            is_foreign = _check(value, variables, False, depth + 1) or is_foreign
        elif name not in ours and base_of(name) == ENV:
            is_foreign = True
    return is_foreign


def _check_all(variables: Mapping[str, str]) -> None:
    """The environment's text may be the name of any variable of the script: none may hold a substitution."""
    if len(variables) > _VARIABLES_MAX:
        raise Refused("arithmetic", "a variable of the environment is evaluated beside too many of the script's; assign it first")
    for value in variables.values():
        _check(value, variables, False, 1)


def initialised(expression: str) -> set[str]:
    """The names that the expression sets to numbers before anything else, as `for ((i = 0; ...))` does."""
    names: set[str] = set()
    found = _INITIAL.match(expression)
    while found:
        names.add(found.group(1))
        found = _INITIAL.match(expression, found.end())
    return names
