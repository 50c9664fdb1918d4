"""The engine packaged as an agent skill, with the reference documentation that both people and agents read.

Owns what stands in `.claude/skills/autonomous-session-manager/` and how it gets and stays there. The scripts are thin:
everything that they do is `lifecycle`'s.
"""
