"""A config read by a process of its own (`python -m relay.settings.apart`), and brought back.

Serving never waits for it, and never loads a schema or a parser. Read `reader.py` first;
`here.py` and `glance.py` are for commands, which read small ones themselves.
"""
