"""What hosts test their own adapters and lifecycles with. Nothing is imported here; take what you need from the modules.

- `fakes`: a world in memory for the machine to run in.
- `journal_conformance`, `agent_conformance`, `workspace_conformance`, `verifier_conformance`, `small_ports_conformance`: the
  cases that every adapter of a port must pass, one class for each port (they need pytest and pytest-asyncio).
- `strategies`, `state_machine`: hypothesis strategies for facts, outcomes, faults, scenarios and transitions, and a
  `RuleBasedStateMachine` to inherit from.
- `simulation`: whole lifecycles in simulated worlds, with faults at every call of every port; also a command.
- `crash_matrix`: real managers killed at every point that the code names, and a table of what that cost; a command.
- `mutants`, `mutated_code`: small mistakes, one at a time, that your properties should find.
- `pytest_plugin`: fixtures, and `--lifecycle-seed`; installed with the package.
- `examples.review`: a lifecycle with a state of its own, proved, simulated and run.
"""
