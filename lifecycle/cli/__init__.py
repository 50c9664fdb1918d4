"""The command line: parse, call, print.

Owns arguments, help, exit statuses, signals, and what goes to stdout. It knows no rule of the lifecycle.
"""
