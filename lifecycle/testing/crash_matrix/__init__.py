"""What a kill -9 costs at every named point: real processes, the real command, the scripted model.

The points are not listed anywhere: `points` reads them off the code (the table, the ports, the kinds of notes, the
calls that change the disk, the calls of git), so one that is new is known at once. `python -m
lifecycle.testing.crash_matrix` plays a scenario for each and writes what was lost and what was repeated.
"""
