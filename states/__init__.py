"""What the lifecycle *is*: pure, standard library only, no clock, no chance, no await, no input or output.

Start at `states.table`. Anything here runs unchanged in a test, in a workflow engine, in a checker.
"""
