"""What hosts test their own adapters with. Nothing is imported here; take what you need from the modules.

- `journal_conformance`: the cases that every journal must pass (needs pytest and pytest-asyncio).
"""
