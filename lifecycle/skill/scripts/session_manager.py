"""One project's sessions: the manager, and what it does when nobody says otherwise.

As a program: `python scripts/session_manager.py DIR [--spec FILE] [--max-budget-usd USD] ...`.
"""

import sys

_HELP = "autonomous-session-manager is not installed for {}; SKILL.md names the Python that has it"

try:
    from lifecycle import SessionManager
    from lifecycle.config import SETTINGS
except ImportError as error:
    problem = f"{error}: {_HELP.format(sys.executable)}"
    if __name__ == "__main__":
        sys.exit(problem)
    raise ImportError(problem) from error

__all__ = ["SESSION_CONFIG", "SessionManager"]

SESSION_CONFIG = {
    name: SETTINGS[name].default for name in ("model", "max_turns", "continue_delay", "max_iterations")
}
"""The defaults, as `SessionManager` takes them: `continue_delay` in seconds, `max_iterations` None for unlimited."""

if __name__ == "__main__":
    from lifecycle.cli.main import main

    sys.exit(main(["run", *sys.argv[1:]]))
