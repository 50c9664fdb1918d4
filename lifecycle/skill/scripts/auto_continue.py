"""On to the next session, and the next, until SHUTDOWN.

As a program: `python scripts/auto_continue.py [DIR] [--continue-delay 3] ...`.
"""

import sys

_HELP = "autonomous-session-manager is not installed for {}; SKILL.md names the Python that has it"

try:
    from lifecycle import auto_continue
except ImportError as error:
    problem = f"{error}: {_HELP.format(sys.executable)}"
    if __name__ == "__main__":
        sys.exit(problem)
    raise ImportError(problem) from error

__all__ = ["auto_continue"]

if __name__ == "__main__":
    from lifecycle.cli.main import main

    has_project = len(sys.argv) > 1 and not sys.argv[1].startswith("-")
    sys.exit(main(["run", *([] if has_project else ["."]), *sys.argv[1:]]))
