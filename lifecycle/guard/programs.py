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
from lifecycle.guard.arithmetic import check_expression
from lifecycle.guard.call import Call
from lifecycle.guard.expansion import Expander
from lifecycle.guard.paths import is_inside, joined
from lifecycle.guard.refusal import Refused
from lifecycle.guard.state import State, joined_states
from lifecycle.guard.syntax import parse
from lifecycle.guard.syntax.tree import (
    AndOr,
    ArithmeticCommand,
    ArithmeticFor,
    Assignment,
    Case,
    Command,
    Conditional,
    Coprocess,
    For,
    Function,
    Group,
    If,
    Loop,
    Pipeline,
    Redirected,
    Redirection,
    Script,
    Simple,
    Text,
    Word,
)
from lifecycle.guard.values import ANY, ENV, NAME, NUM, SPLIT, is_known, shown

__all__ = ["Analysis", "Program"]

STEPS_MAX = 2_000  # commands walked, loops and calls unrolled; the largest script that people write by hand has fewer
_UNROLLED_MAX = 12
_PASSES_MAX = 4
_CALLS_MAX = 8
_DIRECTORIES_MAX = 8

_PLAIN_NAME = re.compile(r"\\?([A-Za-z0-9_./+:\[-]+)\Z|'([A-Za-z0-9_./+-]+)'\Z|\"([A-Za-z0-9_./+-]+)\"\Z")
_GLOB = re.compile(r"[*?\[{]")
_DESCRIPTOR = re.compile(r"(?:[0-9]+-?|-)\Z")
_PLAIN_FILE = re.compile(r"[A-Za-z0-9_./@:+,=-]+\Z")
_DEVICES = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr"})
_RESERVED_FUNCTIONS = frozenset(
    """cd test true false break continue return exit echo printf read export unset local declare typeset readonly set shift eval
    exec source command builtin trap alias unalias hash enable let pushd popd dirs kill wait jobs fg bg type umask ulimit getopts
    mapfile readarray shopt times disown suspend logout caller bind compgen complete compopt history fc help pwd . : [""".split()
)
_ARITHMETIC_TESTS = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})
_EVALUATING_TESTS = frozenset({"-v", "-R"})


@dataclass(frozen=True, slots=True)
class Program:
    """A program that the script would start."""

    name: str
    arguments: tuple[str, ...]
    directory: str


class Analysis:
    """One walk over one command line.

    Args:
        judge: called with every program in the order in which they stand; raises `Refused` to stop.
        output_of: what a program prints, where that is known and matters; ANY otherwise.
        project: the project's absolute, normalised path.
        directory: the absolute working directory at the start.
        home: what `~` and `$HOME` mean.
    """

    def __init__(
        self, judge: Callable[[Call], None], output_of: Callable[[Call], str], project: str, directory: str, home: str
    ) -> None:
        self._judge = judge
        self._output_of = output_of
        self._project = project
        self._expander = Expander(self, home)
        self._state = State((directory,), (), {}, {})
        self._steps = 0
        self._calling: list[str] = []
        self._defined: dict[str, Command] = {}
        self._called: set[str] = set()
        self._loops: list[list[State]] = []
        self._last: Call | None = None
        self.programs: list[Program] = []

    def run(self, script: Script) -> None:
        """Walk the whole script.

        Raises:
            Refused: the judge's, or a construct that cannot be resolved.
        """
        self._state = self._script(script, self._state)
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

    # -- what a word asks for

    def output(self, script: Script, state: State) -> str:
        """Judge a substitution's script; its output where the last program's is known."""
        self._last = None
        self._script(script, state.copy())
        last, self._last = self._last, None
        if last is None or len(script.items) != 1:
            return ANY
        command = script.items[0].command
        if isinstance(command, Pipeline):
            command = command.commands[-1]
        return self._output_of(last) if isinstance(command, Simple) else ANY

    def check_assignment(self, name: str, value: str, state: State) -> None:
        """Refuse a variable that changes what programs do."""
        for directory in state.directories:
            refusal = environment.refusal_of(name, value, self._project, directory)
            if refusal:
                raise Refused("environment", refusal)

    # -- control flow: every method returns the state after success and after failure

    def _script(self, script: Script, state: State) -> State:
        for item in script.items:
            if item.background:
                self._command(item.command, state.copy())
            else:
                ok, failed = self._command(item.command, state)
                state = joined_states(ok, failed)
        return state

    def _outcome(self, script: Script, state: State) -> tuple[State, State]:
        """Like `_script`, keeping apart whether the last command succeeded."""
        outcome = (state, state)
        for item in script.items:
            if item.background:
                self._command(item.command, state.copy())
                outcome = (state, state)
            else:
                outcome = self._command(item.command, state)
                state = joined_states(*outcome)
        return outcome

    def _command(self, command: Command, state: State) -> tuple[State, State]:
        self._steps += 1
        if self._steps > STEPS_MAX:
            raise Refused("size", "the script is too large to be judged; split it into several commands")
        if isinstance(command, Simple):
            return self._simple(command, state)
        if isinstance(command, AndOr):
            return self._and_or(command, state)
        if isinstance(command, Pipeline):
            return self._pipeline(command, state)
        if isinstance(command, Redirected):
            self._redirections(command.redirections, state)
            return self._command(command.command, state)
        if isinstance(command, Group):
            if not command.subshell:
                return self._outcome(command.body, state)
            self._script(command.body, state.copy())
            return state, state
        state = self._compound(command, state)
        return state, state

    def _compound(self, command: Command, state: State) -> State:
        if isinstance(command, If):
            return self._if(command, state)
        if isinstance(command, Loop):
            return self._loop(command, state)
        if isinstance(command, For):
            return self._for(command, state)
        if isinstance(command, ArithmeticFor):
            self._expander.expression(command.header, state)
            return self._repeated(command.body, state)
        if isinstance(command, Case):
            return self._case(command, state)
        if isinstance(command, ArithmeticCommand):
            self._expander.expression(command.parts, state)
        elif isinstance(command, Conditional):
            self._conditional(command, state)
        elif isinstance(command, Function):
            self._define(command, state)
        elif isinstance(command, Coprocess):
            self.check_assignment(command.name, ANY, state)
            self._command(command.body, state.copy())
            state.variables[command.name] = ANY
        return state

    def _and_or(self, command: AndOr, state: State) -> tuple[State, State]:
        ok, failed = self._command(command.first, state)
        for operator, following in command.rest:
            if operator == "&&":
                ok, also_failed = self._command(following, ok.copy())
                failed = joined_states(failed, also_failed)
            else:
                also_ok, failed = self._command(following, failed.copy())
                ok = ok if _leaves(following) else joined_states(ok, also_ok)
                failed = ok if _leaves(following) else failed
        return ok, failed

    def _pipeline(self, command: Pipeline, state: State) -> tuple[State, State]:
        if len(command.commands) == 1:
            ok, failed = self._command(command.commands[0], state)
            return (failed, ok) if command.negated else (ok, failed)
        for part in command.commands:
            self._command(part, state.copy())
        return state, state

    def _if(self, command: If, state: State) -> State:
        ends: list[State] = []
        for condition, body in command.branches:
            ok, failed = self._outcome(condition, state)
            state = failed.copy()
            ends.append(self._script(body, ok.copy()))
        ends.append(self._script(command.otherwise, state) if command.otherwise else state)
        return _joined(ends)

    def _case(self, command: Case, state: State) -> State:
        self._expander.value(command.subject, state)
        end = state.copy()
        for clause in command.clauses:
            for pattern in clause.patterns:
                self._expander.value(pattern, state)
            end = joined_states(end, self._script(clause.body, end.copy()))  # `;&` falls through from an earlier arm
        return end

    def _loop(self, command: Loop, state: State) -> State:
        breaks: list[State] = []
        self._loops.append(breaks)
        entry = state.copy()
        for _ in range(_PASSES_MAX):
            ok, failed = self._outcome(command.condition, entry.copy())
            if command.until:
                ok, failed = failed, ok
            after = self._script(command.body, ok.copy())
            widened = _joined([entry, after, *breaks])
            if widened == entry:
                break
            entry = widened
        else:
            raise Refused("loop", "the loop changes the directory or its variables in a way that cannot be followed")
        self._loops.pop()
        return _joined([failed, *breaks])

    def _repeated(self, body: Script, state: State) -> State:
        breaks: list[State] = []
        self._loops.append(breaks)
        entry = state.copy()
        for _ in range(_PASSES_MAX):
            after = self._script(body, entry.copy())
            widened = _joined([entry, after, *breaks])
            if widened == entry:
                break
            entry = widened
        else:
            raise Refused("loop", "the loop changes the directory or its variables in a way that cannot be followed")
        self._loops.pop()
        return _joined([entry, *breaks])

    def _for(self, command: For, state: State) -> State:
        values: list[str] = []
        for word in command.words or ():
            values.extend(self._expander.fields(word, state))
        if command.words is None:
            values = [ANY]
        for value in values or [""]:
            self.check_assignment(command.name, value, state)
        state.variables.pop(command.name + "[]", None)
        if command.select:
            self.check_assignment("REPLY", ANY, state)
            values = [ANY]
        if len(values) <= _UNROLLED_MAX and all(is_known(value) and NAME not in value for value in values):
            breaks: list[State] = []
            self._loops.append(breaks)
            for value in values:
                state.variables[command.name] = value
                state = _joined([self._script(command.body, state.copy()), *breaks])
            self._loops.pop()
            if not values:
                self._script(command.body, state.copy())
            return state
        for value in dict.fromkeys(_plain_values(values)):
            inner = state.copy()
            inner.variables[command.name] = value
            state = joined_states(state, self._repeated_with(command, value, inner))
        return state

    def _repeated_with(self, command: For, value: str, state: State) -> State:
        """The state after a loop whose variable holds, each time anew, the unknown `value`."""
        breaks: list[State] = []
        self._loops.append(breaks)
        entry = state
        for _ in range(_PASSES_MAX):
            entry.variables[command.name] = value
            after = self._script(command.body, entry.copy())
            widened = _joined([entry, after, *breaks])
            widened.variables[command.name] = value
            if widened == entry:
                break
            entry = widened
        else:
            raise Refused("loop", "the loop changes the directory or its variables in a way that cannot be followed")
        self._loops.pop()
        return _joined([entry, *breaks])

    # -- tests

    def _conditional(self, command: Conditional, state: State) -> None:
        for term in command.terms:
            if term.operator in _EVALUATING_TESTS:
                raise Refused("test", f"[[ {term.operator} ]] evaluates its operand, which can run commands; use [[ -n $name ]]")
            for word in (term.left, term.right):
                if word is None:
                    continue
                value = self._expander.value(word, state)
                if term.operator in _ARITHMETIC_TESTS:
                    check_expression(value, state.variables, known=False)

    # -- functions

    def _define(self, command: Function, state: State) -> None:
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
        outer = self._expander.positional
        open_ended = arguments is None or any(SPLIT in argument for argument in arguments)
        self._expander.positional = None if open_ended else tuple(arguments or ())
        state = joined_states(*self._command(body, state))
        self._expander.positional = outer
        self._calling.pop()
        return state

    # -- simple commands

    def _simple(self, command: Simple, state: State) -> tuple[State, State]:
        words = command.words
        if not words:
            for assignment in command.assignments:
                self._assign(assignment, state)
            self._redirections(command.redirections, state)
            return state, state
        name = _literal_name(words[0])
        arguments: list[str] = []
        for word in words[1:]:
            arguments.extend(self._expander.fields(word, state))
        if command.redirections:
            self._redirections(command.redirections, state)
        if command.assignments:
            during = state.copy()  # they hold for this program only
            for assignment in command.assignments:
                self._assign(assignment, during)
                if name in state.functions:
                    state.variables[assignment.name] = ANY
        call = Call(name, arguments, state.directories, self._project, self._judge_inner, self._judge_text)
        call.raw = [word.raw for word in words[1:]]
        return self._started(call, state)

    def _started(self, call: Call, state: State) -> tuple[State, State]:
        name = call.program
        function = state.functions.get(name)
        if function is not None:
            body, certain = function
            if not certain:
                self._judge_call(call)
            state = self._call(name, body, call.arguments, state)
            self._last = None
            return state, state
        self._judge_call(call)
        if name == "cd":
            return self._cd(call, state), state
        if name in ("break", "continue"):
            for loop in self._loops:
                loop.append(state.copy())
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
        self._steps += 10
        inner = State(call.directories, (), {name: ANY for name in self._state.variables}, {})
        outer, self._expander.positional = self._expander.positional, None
        self._script(parse(text), inner)
        self._expander.positional = outer

    def _assigning(self, call: Call, state: State) -> None:
        """Builtins whose arguments are assignments or names; their rule has accepted the arguments."""
        for argument in call.arguments:
            name, equals, value = argument.partition("=")
            if not re.fullmatch(r"[A-Za-z_]\w*\+?", name):
                continue
            name = name.rstrip("+")
            self.check_assignment(name, value if equals else ANY, state)
            if call.program == "read" or not equals:
                state.variables[name] = ANY if call.program in ("read", "local", "unset") else state.variables.get(name, ENV)
            else:
                # a local one ends with its function: what the name holds later is not known
                known = value if not self._calling and "+" not in argument.partition("=")[0] else ANY
                state.variables[name] = known
            state.variables.pop(name + "[]", None)

    def _assign(self, assignment: Assignment, state: State) -> None:
        if isinstance(assignment.value, tuple):
            elements: list[str] = []
            for word in assignment.value:
                elements.extend(self._expander.fields(word, state))
            self.check_assignment(assignment.name, ANY, state)
            key = assignment.name + "[]"
            before = state.variables.get(key, "") if assignment.append else ""
            state.variables[assignment.name] = ANY
            if not assignment.append or key in state.variables:
                state.variables[key] = before + "".join(element + "\0" for element in elements)
            return
        value = self._expander.value(assignment.value, state)
        if assignment.subscript is not None:
            self._expander.expression(assignment.subscript, state)
        self.check_assignment(assignment.name, value, state)
        if assignment.subscript is not None:
            value = ANY
        elif assignment.append:
            before = state.variables.get(assignment.name)
            value = ANY if before is None else before + value
        state.variables[assignment.name] = value if len(value) < 2_000 else ANY
        state.variables.pop(assignment.name + "[]", None)

    def _cd(self, call: Call, state: State) -> State:
        """The state after a `cd` that succeeds. Refused when the intended directory is outside."""
        arguments = [argument for argument in call.arguments if argument not in ("-L", "-P", "--")]
        if not arguments:
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

    # -- redirections

    def _redirections(self, redirections: Sequence[Redirection], state: State) -> None:
        for redirection in redirections:
            operator = redirection.operator
            if operator.startswith("<<"):
                if operator == "<<<":
                    self._expander.value(redirection.target, state)
                else:
                    self._expander.inspect(redirection.body, state)
                continue
            fields = self._expander.fields(redirection.target, state)
            if len(fields) != 1 or _is_glob(redirection.target):
                raise Refused("redirection", f"{operator} needs one file, spelt literally")
            self._redirection(operator, fields[0], state)

    def _redirection(self, operator: str, target: str, state: State) -> None:
        if operator in (">&", "<&") and _DESCRIPTOR.match(target):
            return
        if operator in (">&", "<&") and not _PLAIN_FILE.match(target):
            raise Refused("redirection", f"bash expands the target of {operator} twice; a descriptor or a plainly named file is accepted")
        if target in _DEVICES:
            return
        if operator != "<&" and all(is_inside(target, self._project, directory) for directory in state.directories):
            if not target.endswith("/") and not target.rpartition("/")[2].startswith("-"):
                return
        if target == f"/dev/fd/{NUM}":  # a process substitution
            return
        raise Refused(
            "redirection",
            f"{operator} {shown(target)!r} is not certainly a file inside the project; "
            "files inside it, /dev/null, /dev/stdout and /dev/stderr are accepted",
        )


_ASSIGNING = frozenset({"export", "local", "readonly", "declare", "typeset", "read", "unset"})


def _literal_name(word: Word) -> str:
    found = _PLAIN_NAME.match(word.raw)
    if not found:
        raise Refused(
            "name", f"the program {word.raw[:60]!r} is not named literally; spell its name without quotes or expansions"
        )
    return next(name for name in found.groups() if name is not None)


def _leaves(command: Command) -> bool:
    """Whether nothing after the command runs: `cd DIR || exit`."""
    if isinstance(command, Group) and not command.subshell and command.body.items:
        command = command.body.items[-1].command
    return isinstance(command, Simple) and bool(command.words) and command.words[0].bare in ("exit", "return")


def _is_glob(word: Word) -> bool:
    return any(isinstance(part, Text) and not part.quoted and _GLOB.search(part.text) for part in word.parts)


def _joined(states: Sequence[State]) -> State:
    result = states[0]
    for state in states[1:]:
        result = joined_states(result, state)
    return result


def _plain_values(values: Sequence[str]) -> list[str]:
    """A short list of values that covers many."""
    if len(values) <= _UNROLLED_MAX:
        return [value if SPLIT not in value else ANY for value in values]
    if all(re.fullmatch(f"[0-9{NUM}]+", value) for value in values):
        return [NUM]
    if all(re.fullmatch(f"[A-Za-z0-9_][A-Za-z0-9_.{NAME}-]*", value) for value in values):
        return [NAME]
    return [ANY]
