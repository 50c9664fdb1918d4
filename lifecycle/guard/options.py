"""Reading a program's arguments the way getopt_long reads them.

Owns the scan: clustered short options, values attached or apart, abbreviated long options, `--`. An option that the
specification does not know is refused, so that a forgotten dangerous one is never accepted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lifecycle.guard.call import Call
from lifecycle.guard.values import NAME, SPLIT, may_be_option, may_vanish, shown

__all__ = ["Options", "Scanned"]


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a scan found: (option without dashes, value or None) pairs in order, and the operands."""

    options: tuple[tuple[str, str | None], ...]
    operands: tuple[str, ...]

    def values(self, *names: str) -> Iterator[str]:
        """The values given to any of the options."""
        return (value for name, value in self.options if name in names and value is not None)

    def has(self, *names: str) -> bool:
        """Whether any of the options stands there."""
        return any(name in names for name, _ in self.options)


@dataclass(frozen=True, slots=True)
class Options:
    """The options that a program is accepted with.

    Attributes:
        flags: short options without a value.
        valued: short options with a required value.
        attached: short options whose optional value is attached (`-i.bak`).
        long_flags: long options without a value.
        long_valued: long options with a required value.
        long_attached: long options whose optional value follows `=`.
        permute: whether options may follow operands.
        exact: whether long options must be spelt out (programs that do not use getopt_long).
    """

    flags: str = ""
    valued: str = ""
    attached: str = ""
    long_flags: frozenset[str] = field(default_factory=frozenset)
    long_valued: frozenset[str] = field(default_factory=frozenset)
    long_attached: frozenset[str] = field(default_factory=frozenset)
    permute: bool = True
    exact: bool = False

    def scan(self, call: Call, open_operands: bool = False) -> Scanned:
        """The call's options and operands.

        Args:
            call: the program with its arguments.
            open_operands: whether an argument of unknown text is an operand, not possibly an option.

        Raises:
            Refused: an option that is not in the specification, or an argument that could be one.
        """
        found: list[tuple[str, str | None]] = []
        operands: list[str] = []
        arguments = list(call.arguments)
        at = 0
        while at < len(arguments):
            argument = arguments[at]
            at += 1
            if argument == "--":
                operands.extend(arguments[at:])
                break
            if may_vanish(argument):
                call.refuse(f"the argument {shown(argument)!r} could be nothing", "quote it, with some text before it")
            if not argument.startswith("-") or argument == "-":
                if may_be_option(argument) and not open_operands:
                    call.refuse(f"the argument {shown(argument)!r} could be an option", "put '--' before it, or quote it literally")
                operands.append(argument)
                if not self.permute:
                    operands.extend(arguments[at:])
                    break
            elif argument.startswith("--"):
                at = self._long(call, argument[2:], arguments, at, found)
            else:
                at = self._short(call, argument[1:], arguments, at, found)
        return Scanned(tuple(found), tuple(operands))

    def _long(self, call: Call, text: str, arguments: list[str], at: int, found: list[tuple[str, str | None]]) -> int:
        name, equals, value = text.partition("=")
        known = self.long_flags | self.long_valued | self.long_attached
        if name not in known and not self.exact:
            candidates = [option for option in known if option.startswith(name)]
            name = candidates[0] if len(candidates) == 1 and name else name
        if name in self.long_attached or (name in self.long_flags and not equals):
            found.append((name, value if equals else None))
            return at
        if name not in self.long_valued:
            call.refuse(f"the option {shown('--' + text)!r} is not accepted", self._accepted())
        if equals:
            found.append((name, value))
            return at
        return self._value(call, name, arguments, at, found)

    def _short(self, call: Call, text: str, arguments: list[str], at: int, found: list[tuple[str, str | None]]) -> int:
        for position, letter in enumerate(text):
            rest = text[position + 1 :]
            if letter in self.flags:
                found.append((letter, None))
            elif letter in self.attached:
                found.append((letter, rest or None))
                return at
            elif letter in self.valued:
                if rest:
                    found.append((letter, rest))
                    return at
                return self._value(call, letter, arguments, at, found)
            else:
                call.refuse(f"the option {shown('-' + text)!r} is not accepted", self._accepted())
        return at

    def _value(self, call: Call, name: str, arguments: list[str], at: int, found: list[tuple[str, str | None]]) -> int:
        if at >= len(arguments):
            call.refuse(f"the option {name!r} lacks its value")
        if SPLIT in arguments[at] or (NAME in arguments[at] and name != "name"):
            call.refuse(f"the value {shown(arguments[at])!r} of the option {name!r} could be several words", "quote it")
        found.append((name, arguments[at]))
        return at + 1

    def _accepted(self) -> str:
        shorts = "".join(sorted(self.flags + self.valued + self.attached))
        longs = " ".join("--" + name for name in sorted(self.long_flags | self.long_valued | self.long_attached))
        return f"accepted: {('-' + shorts + ' ') if shorts else ''}{longs}".rstrip() or "it is accepted without options"
