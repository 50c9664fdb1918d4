"""What stands in the way of a run, on this machine and in a project: looked at, never changed.

Each check returns findings; a check that fails for a reason that it cannot name is a finding too.
"""
