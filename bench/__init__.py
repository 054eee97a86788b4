"""`make bench`: what the relay does in a second, and what it costs, beside its peers.

`speed.py` measures, `bench/peers` has the systems. See docs/peers.md.
"""
