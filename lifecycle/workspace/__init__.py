"""What the project directory says, and the few files of it that the manager writes.

Everything below a project directory was, or may have been, written by an untrusted agent: it is read with bounds
on size and time, never executed, and never followed out of the project. This package knows files and git; it
knows neither the machine nor the journal.
"""
