"""The same from a script that has no event loop.

Run it: python -m lifecycle.skill.examples.script DIR
"""

import sys

from lifecycle import LifecycleError, project_status, run_until_shutdown
from lifecycle.events import Event


def tell(event: Event) -> None:
    print(event.name)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        result = run_until_shutdown(sys.argv[1], max_iterations=20, continue_delay=1, on_event=tell)
    except LifecycleError as error:
        sys.exit(str(error))  # what cannot be done, why, and what to do
    print(result.stop_reason, project_status(sys.argv[1]).features)
