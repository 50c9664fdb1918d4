"""Finding every program that a script would start, wherever it stands.

Owns the walk over the tree: it follows directories through `cd`, variables through assignments and loops, functions
through their calls, and gives each program, with its expanded arguments, to a judge. Knows no program but `cd`, and no
policy. What it cannot resolve it refuses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lifecycle.guard import environment
from lifecycle.guard.call import Call
from lifecycle.guard.expansion import Expander
from lifecycle.guard.flow import ControlFlow
from lifecycle.guard.names import names
from lifecycle.guard.paths import is_inside, joined
from lifecycle.guard.protected import PROTECTION, Protection
from lifecycle.guard.redirections import check_redirections
from lifecycle.guard.refusal import Refused
from lifecycle.guard.state import State, joined_states, joined_values
from lifecycle.guard.syntax import parse
from lifecycle.guard.syntax.tree import (
    Assignment,
    Command,
    Function,
    Pipeline,
    Redirection,
    Script,
    Simple,
    Word,
)
from lifecycle.guard.values import ANY, ENV, NAME, SPLIT, is_known, may_vanish, shown

__all__ = ["Analysis", "Program"]

_CALLS_MAX = 8
_DIRECTORIES_MAX = 8
_PLAIN_NAME = re.compile(r"\\?([A-Za-z0-9_./+:\[-]+)\Z|'([A-Za-z0-9_./+-]+)'\Z|\"([A-Za-z0-9_./+-]+)\"\Z")
_ASSIGNING = frozenset({"export", "local", "readonly", "declare", "typeset", "read", "unset"})
_RESERVED_FUNCTIONS = names(
    """cd test true false break continue return exit echo printf read export unset local declare typeset
    readonly set shift eval exec source command builtin trap alias unalias hash enable let pushd popd dirs
    kill wait jobs fg bg type umask ulimit getopts mapfile readarray shopt times disown suspend logout
    caller bind compgen complete compopt history fc help pwd . : ["""
)


@dataclass(frozen=True, slots=True)
class Program:
    """A program that the script would start."""

    name: str
    arguments: tuple[str, ...]
    directory: str


class Analysis(ControlFlow):
    """One walk over one command line.

    Args:
        judge: called with every program in the order in which they stand; raises `Refused` to stop.
        output_of: what a program prints, where that is known and matters; ANY otherwise.
        project: the project's absolute, normalised path.
        directory: the absolute working directory at the start.
        home: what `~` and `$HOME` mean.
        protection: what in the project is not written.
    """

    def __init__(
        self,
        judge: Callable[[Call], None],
        output_of: Callable[[Call], str],
        project: str,
        directory: str,
        home: str,
        protection: Protection = PROTECTION,
    ) -> None:
        super().__init__()
        self._protection = protection
        self._judge = judge
        self._output_of = output_of
        self._project = project
        self.expander = Expander(self, home)
        self._state = State((directory,), (), {}, {})
        self._calling: list[str] = []
        self._defined: dict[str, Command] = {}
        self._called: set[str] = set()
        self._locals: list[dict[str, str]] = []  # of each call: name -> what it hides
        self._readonly: dict[str, int] = {}  # name -> how many calls deep it is so
        self._last: Call | None = None
        self.programs: list[Program] = []

    def run(self, script: Script) -> None:
        """Walk the whole script.

        Raises:
            Refused: the judge's, or a construct that cannot be resolved.
        """
        self._state = self.walk_lines(script, self._state)
        while True:
            waiting = [name for name in self._defined if name not in self._called]
            if not waiting:
                return
            for name in waiting:
                self._call(name, self._defined[name], None, self._state.copy())

    @property
    def functions(self) -> frozenset[str]:
        """The names of all functions that the script defines."""
        return frozenset(self._defined)

    def output(self, script: Script, state: State) -> str:
        """Judge a substitution's script; its output where the last program's is known."""
        last = self._last_of(script, state.copy())
        if last is None or len(script.items) != 1:
            return ANY
        command = script.items[0].command
        if isinstance(command, Pipeline):
            command = command.commands[-1]
        return self._output_of(last) if isinstance(command, Simple) and _is_printed(command.redirections) else ANY

    def _last_of(self, script: Script, state: State) -> Call | None:
        """The program that ran last in the script, if it was one and no function."""
        self._last = None
        self.walk_apart(script, state)
        last = self._last
        self._last = None
        return last

    def check_assignment(self, name: str, value: str, state: State) -> None:
        """Refuse a variable that changes what programs do."""
        for directory in state.directories:
            refusal = environment.refusal_of(name, value, self._project, directory)
            if refusal:
                raise Refused("environment", refusal)
        if name in self._readonly:
            raise Refused("readonly", f"the variable {name} is readonly, so that it keeps its value; choose another name")

    def define(self, command: Function, state: State) -> None:
        name = command.name
        if name in _RESERVED_FUNCTIONS:
            raise Refused("function", f"a function must not take the name of the builtin {name!r}; choose another name")
        if self._defined.setdefault(name, command.body) is not command.body:
            raise Refused("function", f"the function {name!r} is defined twice; define it once")
        state.functions[name] = (command.body, True)

    def _call(self, name: str, body: Command, arguments: Sequence[str] | None, state: State) -> State:
        if name in self._calling:
            raise Refused("recursion", f"the function {name!r} calls itself, as a fork bomb does; write a loop")
        if len(self._calling) >= _CALLS_MAX:
            raise Refused("depth", f"functions call each other more than {_CALLS_MAX} deep; write them flatter")
        self._called.add(name)
        self._calling.append(name)
        outer = self.expander.positional, self.expander.is_called
        open_ended = arguments is None or any(SPLIT in argument or may_vanish(argument) for argument in arguments)
        self._locals.append({})
        self.expander.positional = None if open_ended else tuple(arguments or ())
        self.expander.is_called = arguments is not None
        self.returns.append([])
        state = joined_states(*self.run_command(body, state))
        for returned in self.returns.pop():
            state = joined_states(state, returned)
        for hidden, value in self._locals.pop().items():
            state.variables[hidden] = joined_values(value, state.variables.get(hidden, ENV))
        self.expander.positional, self.expander.is_called = outer
        self._calling.pop()
        self._readonly = {key: depth for key, depth in self._readonly.items() if depth <= len(self._calling)}
        return state

    def run_simple(self, command: Simple, state: State) -> tuple[State, State]:
        words = command.words
        if not words:
            for assignment in command.assignments:
                self._assign(assignment, state)
            self.check_redirections(command.redirections, state)
            return state, state
        name = _literal_name(words[0])
        arguments: list[str] = []
        for word in words[1:]:
            arguments.extend(self.expander.fields(word, state))
        if command.redirections:
            self.check_redirections(command.redirections, state)
        if command.assignments:
            during = state.copy()  # they hold for this program only
            for assignment in command.assignments:
                self._assign(assignment, during)
                if name in state.functions:
                    state.variables[assignment.name] = ANY
        call = Call(name, arguments, state.directories, self._project, self._judge_inner, self._judge_text)
        call.raw = [word.raw for word in words[1:]]
        call.protection = self._protection
        call.is_fed_here = any(redirection.operator.startswith("<<") for redirection in command.redirections)
        return self._started(call, state)

    def _started(self, call: Call, state: State) -> tuple[State, State]:
        name = call.program
        function = state.functions.get(name)
        if function is not None:
            body, certain = function
            before = state.copy()
            if not certain:
                self._judge_call(call)
            arguments = [argument + SPLIT if NAME in argument and not call.is_one_field(at) else argument for at, argument in enumerate(call.arguments)]
            state = self._call(name, body, arguments, state)
            if not certain:
                state = joined_states(state, before)
            self._last = None
            return state, state
        self._judge_call(call)
        if name == "cd":
            return self._cd(call, state), state
        if name in ("break", "continue"):
            for loop in self.loops:
                loop.append(state.copy())
        elif name == "return" and self.returns:
            self.returns[-1].append(state.copy())
        elif name in _ASSIGNING:
            self._assigning(call, state)
        self._last = call
        return state, state

    def _judge_call(self, call: Call) -> None:
        self._judge(call)
        self.programs.append(Program(call.program, tuple(call.arguments), call.directories[0]))

    def _judge_inner(self, call: Call) -> None:
        if call.program in ("cd", "break", "continue", *_ASSIGNING):
            call.refuse("a builtin cannot be started by another program")
        if not is_known(call.program) or NAME in call.program:
            raise Refused("name", f"the program {shown(call.program)!r} is not named literally; spell its name")
        self._judge_call(call)

    def _judge_text(self, text: str, call: Call) -> None:
        self.steps += 10
        inner = State(call.directories, (), dict.fromkeys(self._state.variables, ANY), {})
        outer = self.expander.positional, self.expander.is_called, self.returns
        self.expander.positional, self.expander.is_called, self.returns = None, True, []
        self.walk_lines(parse(text), inner)
        self.expander.positional, self.expander.is_called, self.returns = outer

    def _assigning(self, call: Call, state: State) -> None:
        """Builtins whose arguments are assignments or names; their rule has accepted the arguments."""
        for argument in call.arguments:
            name, equals, value = argument.partition("=")
            if not re.fullmatch(r"[A-Za-z_]\w*\+?", name):
                continue
            name = name.rstrip("+")
            self.check_assignment(name, value if equals else ANY, state)
            if call.program in ("local", "declare", "typeset") and self._locals:
                self._locals[-1].setdefault(name, state.variables.get(name, ENV))
            if call.program == "unset" and name in state.functions:
                state.functions[name] = (state.functions[name][0], False)
            if call.program == "read" or not equals:
                state.variables[name] = ANY if call.program in ("read", "local", "unset") else state.variables.get(name, ENV)
            else:
                # a local one ends with its function: what the name holds later is not known
                known = value if not self._calling and "+" not in argument.partition("=")[0] else ANY
                state.variables[name] = known
            state.variables.pop(name + "[]", None)
            if call.program == "readonly" or (
                call.program in ("declare", "typeset", "local") and any(re.match(r"-\w*r", option) for option in call.arguments)
            ):
                self._readonly[name] = 0 if call.program == "readonly" else len(self._calling)

    def _assign(self, assignment: Assignment, state: State) -> None:
        if isinstance(assignment.value, tuple):
            elements: list[str] = []
            for word in assignment.value:
                elements.extend(self.expander.fields(word, state))
            self.check_assignment(assignment.name, ANY, state)
            key = assignment.name + "[]"
            before = state.variables.get(key, "") if assignment.append else ""
            state.variables[assignment.name] = ANY
            if not assignment.append or key in state.variables:
                state.variables[key] = before + "".join(element + "\0" for element in elements)
            return
        value = self.expander.value(assignment.value, state)
        if assignment.subscript is not None:
            self.expander.expression(assignment.subscript, state)
        self.check_assignment(assignment.name, value, state)
        if assignment.subscript is not None:
            value = ANY
        elif assignment.append:
            held = state.variables.get(assignment.name)
            value = ANY if held is None else held + value
        state.variables[assignment.name] = value if len(value) < 2_000 else ANY
        state.variables.pop(assignment.name + "[]", None)

    def _cd(self, call: Call, state: State) -> State:
        """The state after a `cd` that succeeds. Refused when the intended directory is outside."""
        arguments = [argument for argument in call.arguments if argument not in ("-L", "-P", "--")]
        if not arguments or may_vanish(arguments[0]):
            call.refuse("without a directory it goes home", "'cd DIR' inside the project is accepted")
        target = arguments[0]
        if target == "-":
            targets = state.previous
        elif target.startswith("-") or len(arguments) > 1:
            call.refuse(f"{shown(target)!r} is not accepted", "one literal directory inside the project is")
        else:
            targets = tuple(joined(directory, target) for directory in state.directories) if is_known(target) else ()
        if not targets or not is_inside(targets[0], self._project, targets[0]):
            call.refuse(f"{shown(target)!r} is not certainly inside the project", "a literal directory inside it is accepted")
        if target != "-" and not is_inside(target, self._project, state.directories[0]):
            call.refuse(f"{shown(target)!r} is not certainly inside the project", "a literal directory inside it is accepted")
        if len(targets) > _DIRECTORIES_MAX:
            call.refuse("where it leads depends on too many others", "join them with '&&', so that a failed cd stops")
        return State(tuple(dict.fromkeys(targets)), state.directories, state.variables, state.functions)

    def check_redirections(self, redirections: Sequence[Redirection], state: State) -> None:
        check_redirections(redirections, self.expander, self._project, state, self._protection)


def _is_printed(redirections: Sequence[Redirection]) -> bool:
    """Whether what the program prints, and nothing else, still reaches its standard output."""
    return all(
        redirection.operator.startswith("<")
        or (redirection.descriptor == "2" and redirection.operator == ">" and redirection.target.bare == "/dev/null")
        for redirection in redirections
    )


def _literal_name(word: Word) -> str:
    found = _PLAIN_NAME.match(word.raw)
    if not found:
        raise Refused(
            "name", f"the program {word.raw[:60]!r} is not named literally; spell its name without quotes or expansions"
        )
    return str(next(name for name in found.groups() if name is not None))
