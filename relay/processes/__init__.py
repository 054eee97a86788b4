"""Processes that the relay starts of itself: kept alive, told what to do, ended in order.

Knows commands, pipes and signals, and nothing of mail: what a child does is its own business.
Read `child.py` for one of them, `household.py` for all, `inside.py` for the child's side.
"""
