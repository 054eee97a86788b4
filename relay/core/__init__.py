"""Plain values and functions: stdlib only, synchronous, no clock, no I/O.

Time comes in as an argument. Nothing here knows Redis, SMTP sockets, YAML or asyncio.
Read `policy.py`, then `quota.py`, then `errors.py`.
"""
