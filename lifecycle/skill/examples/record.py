"""The project's files as values: the feature list and the progress file, for scripts that read and write them.

Run it: python -m lifecycle.skill.examples.record DIR
"""

import sys
from pathlib import Path

from lifecycle import FeatureList, StateTracker
from lifecycle.workspace.feature_list import read_feature_list, write_feature_list


def main(project_dir: Path) -> None:
    plan = read_feature_list(project_dir) or FeatureList.create(
        [
            {"id": "add", "description": "A habit can be added", "steps": ["add one", "see it in the list"]},
            {"id": "done", "description": "A habit can be marked as done"},
        ]
    )
    feature = plan.next_incomplete()
    if feature is not None:
        plan = plan.update_status(feature.name, passes=True)
        write_feature_list(project_dir, plan)  # atomically, and durably
    tracker = StateTracker(project_dir)
    tracker.save_progress([f"{feature.name} works" if feature else "nothing was left"], [], ["look at the next one"])
    progress = tracker.load_progress()
    print(f"{plan.passing} of {plan.total} pass; last:", progress.accomplishments[0] if progress else "nothing")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
