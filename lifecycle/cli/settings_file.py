"""The text of a project's configuration file that explains itself: every setting, those that were chosen uncommented."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from lifecycle.config import NOT_IN_A_PROJECT, SETTINGS, Setting

__all__ = ["settings_file"]

_HEAD = """\
# Settings of this project for `lifecycle run`. Flags and LIFECYCLE_* variables beat them; `lifecycle config` prints what
# is in force. A duration is "90m", "8h", "2d", or a number of seconds; "none" is without limit.
"""


def settings_file(chosen: Mapping[str, str]) -> str:
    """The file as TOML.

    Args:
        chosen: setting -> value as it was given, already accepted by the setting.
    """
    settings = (setting for setting in SETTINGS.values() if setting.name not in NOT_IN_A_PROJECT)
    return "\n".join([_HEAD, *(line for setting in settings for line in _entry(setting, chosen))])


def _entry(setting: Setting, chosen: Mapping[str, str]) -> Iterator[str]:
    yield f"# {setting.help[0].upper()}{setting.help[1:]}."
    if setting.name in chosen:
        yield f"{setting.name} = {_value(chosen[setting.name])}\n"
    else:
        is_duration = setting.metavar == "DURATION" and setting.default is not None
        yield f"# {setting.name} = {_value(setting.shown(setting.default) if is_duration else setting.default)}\n"


def _value(value: object) -> str:
    """As TOML has it: a number where it is one, else a text."""
    if value is None:
        return '"none"'
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int):
        return str(value)
    text = str(value)
    if text.isascii() and text.isdecimal() and not (text.startswith("0") and text != "0"):
        return text
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
