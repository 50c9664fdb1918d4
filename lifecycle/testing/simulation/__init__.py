"""Whole lifecycles in simulated worlds: the real manager, driver, machine, journal and policies; everything else is made.

A seed makes a `scenario`, the `world` plays it with faults at every port call, `simulate` drives managers through it
and checks what their journal says, and `shrinking` makes a failing one small. From the command line:

    python -m lifecycle.testing.simulation --transitions 1000000
    python -m lifecycle.testing.simulation --seed 4711
"""
