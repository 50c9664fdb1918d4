"""What a project needs next: INIT or CONTINUE.

As a program: `python scripts/session_detector.py DIR [--json]`.
"""

import sys

_HELP = "autonomous-session-manager is not installed for {}; SKILL.md names the Python that has it"

try:
    from lifecycle import SessionType, detect_session_type
except ImportError as error:
    problem = f"{error}: {_HELP.format(sys.executable)}"
    if __name__ == "__main__":
        sys.exit(problem)
    raise ImportError(problem) from error

__all__ = ["SessionType", "detect_session_type"]

if __name__ == "__main__":
    from lifecycle.cli.main import main

    sys.exit(main(["detect", *sys.argv[1:]]))
