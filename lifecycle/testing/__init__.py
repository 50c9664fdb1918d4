"""What hosts test their own adapters and lifecycles with. Nothing is imported here; take what you need from the modules.

- `fakes`: a world in memory for the machine to run in.
- `journal_conformance`: the cases that every journal must pass (needs pytest and pytest-asyncio).
"""
