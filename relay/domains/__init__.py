"""Domains that are added while the relay runs, beside those of the config (ADR 25).

Made, verified, approved, removed (`added.py`), followed by every process within a second
(`following.py`), looked for in the DNS (`looking.py`), shown as those of the config are
(`views.py`). Knows no HTTP and no commands; the store is a port. Read `added.py` first.
"""
