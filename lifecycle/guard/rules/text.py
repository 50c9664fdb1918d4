"""Rules for programs that read and transform text, and can write files or start programs while doing so.

Owns those forms of sort, uniq, sed, awk and their like.
"""

from __future__ import annotations

import re

from lifecycle.guard.call import Call
from lifecycle.guard.names import names
from lifecycle.guard.options import Options
from lifecycle.guard.values import is_known, may_be_option, shown

__all__ = ["awk", "curl", "date", "sed", "sort", "tree", "uniq"]

_SORT = Options(
    flags="bcCdfghiMmnRrsuVz", valued="koStT",
    long_flags=names(
    """ignore-leading-blanks dictionary-order ignore-case general-numeric-sort ignore-nonprinting month-sort
    human-numeric-sort numeric-sort random-sort reverse stable unique version-sort zero-terminated merge
    debug"""
),
    long_valued=frozenset({"key", "output", "field-separator", "buffer-size", "parallel", "sort"}), long_attached=frozenset({"check"}),
)  # fmt: skip
_UNIQ = Options(
    flags="cdDiuz", valued="fsw", long_flags=frozenset({"count", "repeated", "ignore-case", "unique", "zero-terminated"}),
    long_valued=frozenset({"skip-fields", "skip-chars", "check-chars"}), long_attached=frozenset({"group", "all-repeated"}),
)  # fmt: skip
_SED = Options(
    flags="nErsuz", valued="e", attached="i",
    long_flags=frozenset({"quiet", "silent", "regexp-extended", "separate", "unbuffered", "null-data", "sandbox", "debug", "posix"}),
    long_valued=frozenset({"expression"}), long_attached=frozenset({"in-place"}),
)  # fmt: skip
_AWK = Options(valued="Fv", permute=False, long_valued=frozenset({"field-separator", "assign"}))
_ADDRESS = r"(?:(?:[0-9]+|\$|/(?:[^/\\\n]|\\.)*/I?)(?:,(?:\+?[0-9]+|\$|/(?:[^/\\\n]|\\.)*/I?))?!?\s*)?"
_SUBSTITUTION = r"s([/|#,:@!%~])(?:(?!\1)[^\\\n]|\\.)*\1(?:(?!\1)[^\\\n]|\\.)*\1[gpIi0-9]*"
_TRANSLITERATION = r"y([/|#,])(?:(?!\2)[^\\\n]|\\.)*\2(?:(?!\2)[^\\\n]|\\.)*\2"
_END = r"\s*(?:[;\n]|\Z|(?=\}))"
_COMMAND = re.compile(
    rf"\s*{_ADDRESS}\{{|\s*\}}{_END}"
    rf"|\s*{_ADDRESS}(?:{_SUBSTITUTION}|{_TRANSLITERATION}|[pdqDGHNPghnx=]|[aic]\\?[ \t]*[^\n]*)?{_END}"
)
_AWK_DANGER = re.compile(r"system|getline|[|@]|print[^;}]*>|extension|close|fflush|PROCINFO")
_CURL = Options(
    flags="sSfLvkiIgG0", valued="oXHdmwAub", long_flags=names(
    """silent show-error fail location verbose insecure include head get compressed no-progress-meter
    fail-with-body retry-connrefused json-output"""
),
    long_valued=names(
    """output request header data data-raw json max-time connect-timeout retry retry-delay write-out user-agent
    user cookie form url"""
),
    exact=True,
)  # fmt: skip
_LOCAL = re.compile(r"(?:https?://)?(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::[0-9\udc01-\udc06]+)?(?:[/?#].*)?\Z", re.DOTALL)


def sort(call: Call) -> None:
    """Output only to a file inside; no program for compression."""
    scanned = _SORT.scan(call, open_operands=False)
    for path in scanned.values("o", "output", "T"):
        call.require_writable(path, "the output")


def uniq(call: Call) -> None:
    """Its second operand is written: inside only."""
    for path in _UNIQ.scan(call).operands[1:]:
        call.require_writable(path, "the output")


def date(call: Call) -> None:
    """Shows the time; does not set it."""
    for argument in call.arguments:
        if argument.startswith(("-s", "--s", "-f", "--f")) or (argument[:1].isdigit()):
            call.refuse(f"{shown(argument)!r} is not accepted", "showing the date is")


def tree(call: Call) -> None:
    """Lists; `-o` writes inside only."""
    for argument in call.arguments:
        if argument.startswith(("-o", "-R", "--output")) or (may_be_option(argument) and not argument.startswith("-")):
            call.refuse(f"the argument {shown(argument)!r} may write a file", "redirect the output instead")


def sed(call: Call) -> None:
    """Scripts of substitutions and simple commands; `-i` on files inside. Never w, r, e or a script from a file."""
    scanned = _SED.scan(call)
    operands = list(scanned.operands)
    scripts = list(scanned.values("e", "expression"))
    if not scripts:
        if not operands:
            call.refuse("it needs a script")
        scripts = [operands.pop(0)]
    for script in scripts:
        _sed_script(call, script)
    if scanned.has("i", "in-place"):
        for suffix in scanned.values("i", "in-place"):
            if "/" in suffix:
                call.refuse("a backup suffix with '/'", "one without is accepted")
        for path in operands:
            call.require_writable(path, "the file")


def _sed_script(call: Call, script: str) -> None:
    at = 0
    if not is_known(script):
        call.refuse(f"the script {shown(script)!r} is not known literally", "spell it")
    while at < len(script):
        found = _COMMAND.match(script, at)
        if not found or found.end() == at:
            call.refuse(
                f"the script {shown(script[at:])!r} is not certainly harmless",
                "s/a/b/ with g, p, i, and the commands p, d, q, a, i, c, n and = are accepted",
            )
        at = found.end()


def awk(call: Call) -> None:
    """A literal program without system, getline, pipes and redirected prints."""
    scanned = _AWK.scan(call)
    if not scanned.operands or not is_known(scanned.operands[0]):
        call.refuse("its program is not known literally", "spell it")
    # Strings are not taken out first: what is a string depends on what is a regular expression.
    if _AWK_DANGER.search(scanned.operands[0].replace("||", "")):
        call.refuse("its program may start programs or write files", "one without system, getline, '|', '@' and print > is accepted")


def curl(call: Call) -> None:
    """Requests to this machine only; the answer goes to the output or to a file inside."""
    scanned = _CURL.scan(call)
    for path in scanned.values("o", "output"):
        if path not in ("/dev/null", "-"):
            call.require_writable(path, "the output")
    for name in ("d", "data", "json", "form", "F", "H", "header", "w", "write-out", "b", "cookie"):
        for value in scanned.values(name):
            if value.startswith(("@", "<")) or not is_known(value[:1]) or "%output{" in value:
                call.refuse(f"{shown(value)!r} may read or write a file", "literal data is accepted")
    for url in (*scanned.operands, *scanned.values("url")):
        if not _LOCAL.match(url) or "@" in url.partition("?")[0]:
            call.refuse(f"the address {shown(url)!r} is not this machine", "http://localhost and http://127.0.0.1 are accepted")
