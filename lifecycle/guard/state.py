"""What the analyser knows at one point of a script: directories, variables, functions.

Owns the snapshot and how two of them join where control flow meets. Everything in it errs towards "not known".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lifecycle.guard.arithmetic import base_of
from lifecycle.guard.syntax.tree import Command
from lifecycle.guard.values import ANY, ENV, MAYBE, NUM

__all__ = ["State", "joined_states", "joined_values"]

_NUMBER = re.compile(f"-?[0-9{NUM}]+{MAYBE}?\\Z")


@dataclass(slots=True)
class State:
    """One point of a script.

    Attributes:
        directories: absolute working directories that are possible here; the first is the one if every `cd` succeeds.
        previous: the same for `cd -`; empty when it is not known.
        variables: what the script assigned; a name that is missing is the environment's.
        functions: the body, and whether it is defined for certain.
    """

    directories: tuple[str, ...]
    previous: tuple[str, ...]
    variables: dict[str, str]
    functions: dict[str, tuple[Command, bool]]

    def copy(self) -> State:
        """A snapshot that can change on its own."""
        return State(self.directories, self.previous, dict(self.variables), dict(self.functions))


def joined_states(first: State, second: State) -> State:
    """What holds whichever of the two was reached."""
    if first is second:
        return first
    if first == second:
        return first
    directories = first.directories
    if second.directories != directories:
        directories = tuple(dict.fromkeys(first.directories + second.directories))
    variables = first.variables
    if second.variables != variables:
        variables = dict(variables)
        for name, value in second.variables.items():
            held = variables.get(name)
            if held != value:
                variables[name] = joined_values(base_of(name) if held is None else held, value)
        for name in first.variables.keys() - second.variables.keys():
            variables[name] = joined_values(variables[name], base_of(name))
    functions = {}
    for name in {*first.functions, *second.functions}:
        one, other = first.functions.get(name), second.functions.get(name)
        body = one if one is not None else second.functions[name]
        functions[name] = (body[0], one == other and body[1])
    previous = tuple(dict.fromkeys(first.previous + second.previous))
    return State(directories, previous if first.previous and second.previous else (), dict(variables), functions)


def joined_values(one: str, other: str) -> str:
    """What a variable holds whichever of the two it was given."""
    if one == other:
        return one
    if _NUMBER.match(one) and _NUMBER.match(other):
        return NUM + MAYBE if MAYBE in one + other else NUM
    if ENV in (one, other) and _NUMBER.match(other if one == ENV else one):
        return ENV
    return ANY
