"""Walking a script's control flow: what is known after success, after failure, and at a loop's fixed point.

Owns lists, conditions, loops and subshells. What a simple command does is the analysis's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from lifecycle.guard.arithmetic import check_expression
from lifecycle.guard.expansion import Expander
from lifecycle.guard.refusal import Refused
from lifecycle.guard.state import State, joined_states
from lifecycle.guard.syntax.tree import (
    AndOr,
    ArithmeticCommand,
    ArithmeticFor,
    Case,
    Command,
    Conditional,
    Coprocess,
    For,
    Function,
    Group,
    If,
    Item,
    Loop,
    Pipeline,
    Redirected,
    Redirection,
    Script,
    Simple,
)
from lifecycle.guard.values import ANY, NAME, NUM, SPLIT, is_known

__all__ = ["ControlFlow"]

STEPS_MAX = 2_000  # commands walked, loops and calls unrolled; the largest script that people write by hand has fewer
_NONE: Final[Mapping[str, str]] = MappingProxyType({})
_UNROLLED_MAX = 12
_PASSES_MAX = 4
_ARITHMETIC_TESTS = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})
_EVALUATING_TESTS = frozenset({"-v", "-R"})


class ControlFlow:
    """One walk: every method takes the state before a construct and returns the one after it."""

    expander: Expander

    def __init__(self) -> None:
        self.loops: list[list[State]] = []
        self.returns: list[list[State]] = []
        self._aborted: list[State] = []
        self.steps = 0

    # -- the analysis's part

    def run_simple(self, command: Simple, state: State) -> tuple[State, State]:
        """The states after a simple command's success and failure."""
        raise NotImplementedError

    def define(self, command: Function, state: State) -> None:
        """Note a function."""
        raise NotImplementedError

    def check_redirections(self, redirections: Sequence[Redirection], state: State) -> None:
        """Judge redirections."""
        raise NotImplementedError

    def check_assignment(self, name: str, value: str, state: State) -> None:
        """Refuse a variable that changes what programs do."""
        raise NotImplementedError

    def may_abort(self, state: State) -> None:
        """Note that bash may give up the rest of the line here, and go on with the next one."""
        if self._aborted and self._aborted[-1] == state:
            return
        self._aborted.append(state.copy())

    # -- control flow

    def walk_lines(self, script: Script, state: State) -> State:
        """The state after a whole text, which bash reads and runs line by line."""
        outer, self._aborted = self._aborted, []
        for item in script.items:
            state = self._item(item, state)
            if item.ends_line:
                state = _joined([state, *self._aborted])
                self._aborted = []
        self._aborted = outer
        return state

    def walk_apart(self, script: Script, state: State) -> State:
        """The state after a script in a subshell, which an error ends."""
        length = len(self._aborted)
        state = self.walk(script, state)
        del self._aborted[length:]
        return state

    def walk(self, script: Script, state: State) -> State:
        """The state after all commands of the script."""
        for item in script.items:
            state = self._item(item, state)
        return state

    def _item(self, item: Item, state: State) -> State:
        if item.background:
            self._apart(item.command, state)
            return state
        return joined_states(*self.run_command(item.command, state))

    def _apart(self, command: Command, state: State) -> None:
        """A command in a process of its own."""
        length = len(self._aborted)
        self.run_command(command, state.copy())
        del self._aborted[length:]

    def _outcome(self, script: Script, state: State) -> tuple[State, State]:
        """Like `_script`, keeping apart whether the last command succeeded."""
        outcome = (state, state)
        for item in script.items:
            if item.background:
                self._apart(item.command, state)
                outcome = (state, state)
            else:
                outcome = self.run_command(item.command, state)
                state = joined_states(*outcome)
        return outcome

    def run_command(self, command: Command, state: State) -> tuple[State, State]:
        self.steps += 1
        if self.steps > STEPS_MAX:
            raise Refused("size", "the script is too large to be judged; split it into several commands")
        if isinstance(command, Simple):
            if not command.redirections:
                return self.run_simple(command, state)
            before = state.copy()
            ok, failed = self.run_simple(command, state)
            return ok, joined_states(failed, before)  # nothing runs if a file cannot be opened
        if isinstance(command, AndOr):
            return self._and_or(command, state)
        if isinstance(command, Pipeline):
            return self._pipeline(command, state)
        if isinstance(command, Redirected):
            self.check_redirections(command.redirections, state)
            before = state.copy()
            ok, failed = self.run_command(command.command, state)
            return ok, joined_states(failed, before)
        if isinstance(command, Group):
            if not command.subshell:
                return self._outcome(command.body, state)
            self.walk_apart(command.body, state.copy())
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
            self.expander.expression(command.header, state, certain=True)
            state = self._repeated(command.body, state)
            self.expander.expression(command.header, state)  # bash evaluates it again after each pass
            return state
        if isinstance(command, Case):
            return self._case(command, state)
        if isinstance(command, ArithmeticCommand):
            self.expander.expression(command.parts, state, certain=True)
        elif isinstance(command, Conditional):
            check_conditional(command, self.expander, state)
        elif isinstance(command, Function):
            self.define(command, state)
        elif isinstance(command, Coprocess):
            self.check_assignment(command.name, ANY, state)
            self._apart(command.body, state)
            state.variables[command.name] = ANY
        return state

    def _and_or(self, command: AndOr, state: State) -> tuple[State, State]:
        ok, failed = self.run_command(command.first, state)
        for operator, following in command.rest:
            if operator == "&&":
                ok, also_failed = self.run_command(following, ok.copy())
                failed = joined_states(failed, also_failed)
            else:
                also_ok, failed = self.run_command(following, failed.copy())
                leaves = _leaves(following, bool(self.returns))
                ok = ok if leaves else joined_states(ok, also_ok)
                failed = ok if leaves else failed
        return ok, failed

    def _pipeline(self, command: Pipeline, state: State) -> tuple[State, State]:
        if len(command.commands) == 1:
            ok, failed = self.run_command(command.commands[0], state)
            return (failed, ok) if command.negated else (ok, failed)
        for part in command.commands:
            self._apart(part, state)
        return state, state

    def _if(self, command: If, state: State) -> State:
        ends: list[State] = []
        for condition, body in command.branches:
            ok, failed = self._outcome(condition, state)
            state = failed.copy()
            ends.append(self.walk(body, ok.copy()))
        ends.append(self.walk(command.otherwise, state) if command.otherwise else state)
        return _joined(ends)

    def _case(self, command: Case, state: State) -> State:
        self.expander.value(command.subject, state)
        end = state.copy()
        for clause in command.clauses:
            for pattern in clause.patterns:
                self.expander.value(pattern, state)
            end = joined_states(end, self.walk(clause.body, end.copy()))  # `;&` falls through from an earlier arm
        return end

    def _loop(self, command: Loop, state: State) -> State:
        def once(entry: State) -> tuple[State, State]:
            ok, failed = self._outcome(command.condition, entry.copy())
            if command.until:
                ok, failed = failed, ok
            return failed, self.walk(command.body, ok.copy())

        return self._settled(state, once)

    def _repeated(self, body: Script, state: State, held: Mapping[str, str] = _NONE) -> State:
        """The state after a loop that may end before any turn of its body; `held` variables hold anew in each."""
        return self._settled(state, lambda entry: (entry, self.walk(body, entry.copy())), held)

    def _settled(
        self, state: State, once: Callable[[State], tuple[State, State]], held: Mapping[str, str] = _NONE
    ) -> State:
        """The state behind a loop: at its fixed point, where another turn brings nothing that was not known before.

        Args:
            once: one turn from its entry: the state in which the loop ends there, and the one that comes round again.
        """
        breaks: list[State] = []
        self.loops.append(breaks)
        entry = state.copy()
        entry.variables.update(held)
        for _ in range(_PASSES_MAX):
            ended, after = once(entry)
            widened = _joined([entry, after, *breaks])
            widened.variables.update(held)
            if widened == entry:
                break
            entry = widened
        else:
            raise Refused("loop", "the loop changes the directory or its variables in a way that cannot be followed")
        self.loops.pop()
        return _joined([ended, *breaks])

    def _for(self, command: For, state: State) -> State:
        values: list[str] = []
        for word in command.words or ():
            values.extend(self.expander.fields(word, state))
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
            self.loops.append(breaks)
            for value in values:
                state.variables[command.name] = value
                state = _joined([self.walk(command.body, state.copy()), *breaks])
            self.loops.pop()
            if not values:
                self.walk(command.body, state.copy())
            return state
        for value in dict.fromkeys(_plain_values(values)):
            state = joined_states(state, self._repeated(command.body, state, {command.name: value}))
        return state


def check_conditional(command: Conditional, expander: Expander, state: State) -> None:
    """Refuse tests that evaluate their operand, judge the substitutions of the others."""
    for term in command.terms:
        if term.operator in _EVALUATING_TESTS:
            raise Refused("test", f"[[ {term.operator} ]] evaluates its operand, which can run commands; use [[ -n $name ]]")
        for word in (term.left, term.right):
            if word is None:
                continue
            value = expander.value(word, state)
            if term.operator in _ARITHMETIC_TESTS:
                check_expression(value, state.variables, known=False)


def _leaves(command: Command, in_function: bool) -> bool:
    """Whether nothing after the command runs: `cd DIR || exit`."""
    if isinstance(command, Group) and not command.subshell and command.body.items and not command.body.items[-1].background:
        command = command.body.items[-1].command
    if not isinstance(command, Simple) or not command.words or command.redirections:
        return False
    return command.words[0].bare == "exit" or (in_function and command.words[0].bare == "return")


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
