"""The durable record of a project: every transition, every session, what was spent, who asked for a stop.

Owns how that record is kept: in SQLite (`sqlite`), in memory (`memory`), where on disk (`location`), and by whom
(`lock`). It refuses to know what a transition means; `states` does.
"""
