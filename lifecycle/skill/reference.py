"""The references' generated blocks, each made from the code that defines what it tells.

`python -m lifecycle.skill.reference` brings the references in the source tree up to date; with `--check` it changes
nothing, and exits with 1 when one is not.

Owns no fact: a row here is an enum member, a setting, an event class, a guard. A test runs the check.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from enum import Enum
from functools import partial
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar, get_type_hints

from lifecycle.cli.exits import Exit, meaning_of, status_of_error, status_of_stop
from lifecycle.config import SETTINGS, Config, Setting
from lifecycle.diagram.mermaid import render
from lifecycle.diagram.model import diagram_of
from lifecycle.driver import WORKS
from lifecycle.errors import LifecycleError
from lifecycle.events import Event
from lifecycle.skill.marked_blocks import filled, names_in
from lifecycle.skill.night import night_journal, night_picture
from lifecycle.skill.review import review_counterexample, review_picture
from lifecycle.status import describe
from states import new
from states.facts import Facts
from states.guards import GUARDS
from states.outcomes import OUTCOMES
from states.table import FINAL, TABLE
from states.vocabulary import RunId, State, StopReason, Trigger

__all__ = ["BLOCKS", "main", "references", "regenerated"]


def main(arguments: list[str]) -> int:
    """Bring the references up to date, or with `--check` only tell whether they are."""
    texts = {path: path.read_text("utf-8") for path in references()}
    stale = {path: made for path, text in texts.items() if (made := regenerated(text)) != text}
    for path, text in stale.items():
        sys.stdout.write(f"{path}\n")
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
    return 1 if stale and "--check" in arguments else 0


def references() -> list[Path]:
    """The documents in the source tree."""
    return sorted(Path(str(files("lifecycle.skill") / "references")).glob("*.md"))


def regenerated(document: str) -> str:
    """The document with every block made anew.

    Raises:
        KeyError: it has a block that nothing makes.
    """
    for name in names_in(document):
        if name not in BLOCKS and not name.endswith(".py"):
            raise KeyError(name)
    examples = {name: partial(_example, name) for name in names_in(document) if name.endswith(".py")}
    return filled(document, {**BLOCKS, **examples})


def _settings() -> str:
    types = get_type_hints(Config)
    head = ("key", "takes", "default", "flag", "environment", "what it is")
    return _table(
        head,
        (
            (
                *(f"`{each.name}`", _takes(each, types[each.name]), f"`{each.shown(each.default)}`"),
                *(f"`{each.flag}`", f"`{each.variable}`", each.help),
            )
            for each in SETTINGS.values()
        ),
    )


def _takes(setting: Setting, kind: object) -> str:
    """Type and unit, and what is accepted, in the words with which anything else is refused."""
    name = getattr(kind, "__name__", None) or str(kind).replace(" | None", "").rpartition(".")[2]
    unit = _UNITS.get(setting.metavar, "")
    return f"{name.lower()}{unit}: {_accepted(setting)}"


_UNITS: Final[Mapping[str, str]] = MappingProxyType({"DURATION": ", seconds", "USD": ", US dollars"})


def _accepted(setting: Setting) -> str:
    for wrong in ("0", "-1.5", "", "\0"):
        try:
            setting.parse(wrong)
        except ValueError as refusal:
            return str(refusal)
    return "any text"


def _states() -> str:
    return _table(("state", "what it does", "goes to"), ((f"**{each}**", _work(each), _ways_out(each)) for each in State))


def _work(state: State) -> str:
    if state in WORKS:
        module = inspect.getmodule(WORKS[state])
    elif state == State.NEW:
        module = new
    else:
        assert state in FINAL, f"{state} does work that nobody describes"
        return "Final: the stop reason is in the record, nothing runs, the project is given back."
    return _sentence((inspect.getdoc(module) or "").partition(": ")[2])


def _ways_out(state: State) -> str:
    ways = dict.fromkeys(str(row.dest) for row in TABLE if row.source == state)
    return ", ".join(ways) or "-"


def _transitions() -> str:
    rows = ((row.source, f"`{row.trigger}`", f"`{row.guard}`" if row.guard else "", row.dest, row.why) for row in TABLE)
    return _table(("from", "trigger", "guard", "to", "why"), rows)


def _triggers() -> str:
    rows = (
        (
            f"`{trigger}`",
            ", ".join(dict.fromkeys(str(row.source) for row in TABLE if row.trigger == trigger)),
            "; ".join(dict.fromkeys(row.why for row in TABLE if row.trigger == trigger)),
        )
        for trigger in Trigger
    )
    return _table(("trigger", "fired in", "what has happened"), rows)


def _guards() -> str:
    return _table(("guard", "asks"), ((f"`{name}`", _summary(guard)) for name, guard in GUARDS.items()))


def _stop_reasons() -> str:
    def words(reason: StopReason) -> str:
        return describe(Facts(run_id=RunId(""), at=0.0, started_at=0.0, stop_reason=reason))

    rows = (
        (str(number), f"`{reason}`", words(reason), str(int(status_of_stop(reason))))
        for number, reason in enumerate(StopReason, start=1)
    )
    return _table(("precedence", "stop reason", "meaning", "exit status"), rows)


def _causes() -> str:
    rows = (
        (f"`{cause}`", meaning.what, f"`{meaning.kind}`", "yes" if meaning.is_failure else "", meaning.advice)
        for cause, meaning in OUTCOMES.items()
    )
    return _table(("cause", "what happened", "outcome", "counts for `max_failures`", "what to do"), rows)


def _events() -> str:
    rows = (
        (f"`{each.name}`", f"`{each.__name__}`", each.level, _summary(each), _own_fields(each))
        for each in _below(Event)
        if each.__module__ == Event.__module__
    )
    return _table(("event", "class", "level", "what happened", "fields"), rows)


def _own_fields(event: type[Event]) -> str:
    common = {each.name for each in fields(Event)}
    return ", ".join(f"`{each.name}`" for each in fields(event) if each.name not in common)


def _exit_statuses() -> str:
    return _table(("status", "meaning"), ((str(int(each)), meaning_of(each)) for each in Exit))


def _errors() -> str:
    for home in _ERROR_HOMES:
        import_module(home)
    rows = (
        (f"`{each.__module__}.{each.__name__}`", _summary(each), str(int(status_of_error(each.__new__(each)))))
        for each in _below(LifecycleError)
        if each.__module__ in _ERROR_HOMES
    )
    return _table(("error", "when", "exit status"), rows)


_ERROR_HOMES: Final = ("states.errors", "lifecycle.errors", "lifecycle.workspace.files", "lifecycle.offline.server")
"""The modules that define errors for others to catch."""


def _night() -> str:
    return f"```text\n{night_journal()}\n```"


def _picture(mermaid: str) -> str:
    return f"```mermaid\n{mermaid.strip()}\n```"


def _example(name: str) -> str:
    return f"```python\n{(files('lifecycle.skill') / 'examples' / name).read_text('utf-8').strip()}\n```"


T = TypeVar("T")


def _below(base: type[T]) -> Iterator[type[T]]:
    for each in base.__subclasses__():
        # A slotted dataclass exists twice; the one that counts is the one that its module has.
        if getattr(sys.modules[each.__module__], each.__name__, None) is each:
            yield each
        yield from _below(each)


def _summary(documented: object) -> str:
    """The first paragraph of its docstring."""
    return _sentence((inspect.getdoc(documented) or "").partition("\n\n")[0])


def _sentence(text: str) -> str:
    words = " ".join(text.split())
    return words[:1].upper() + words[1:]


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    names = list(head)
    lines = [names, ["---"] * len(names), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    assert not isinstance(value, Enum) or isinstance(value, str), value
    return str(value).replace("|", "\\|").replace("\n", " ")


BLOCKS: Final[Mapping[str, Callable[[], str]]] = MappingProxyType(
    {
        "settings": _settings,
        "states": _states,
        "transitions": _transitions,
        "triggers": _triggers,
        "guards": _guards,
        "stop-reasons": _stop_reasons,
        "causes": _causes,
        "events": _events,
        "exit-statuses": _exit_statuses,
        "errors": _errors,
        "night": _night,
        "night-picture": lambda: _picture(night_picture()),
        "diagram": lambda: _picture(render(diagram_of())),
        "review-picture": lambda: _picture(review_picture()),
        "review-counterexample": lambda: f"```text\n{review_counterexample()}\n```",
    }
)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
