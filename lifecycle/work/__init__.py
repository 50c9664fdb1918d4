"""What each state does: one module a state, one function in it, all of one shape.

A state's work reads the world through its ports and returns what it observed. It is idempotent under the run and
the number of its transition: after a crash the driver calls it again. It fires nothing itself.
"""
