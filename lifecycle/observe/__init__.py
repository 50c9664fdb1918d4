"""Showing what happens: structlog's lines for people and for machines, and a live line on a terminal.

Owns how an event of `lifecycle.events` looks and how it reaches a file that may be slow, closed or full. It refuses
to know what an event means for the run: it only ever watches.
"""
