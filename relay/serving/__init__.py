"""`python -m relay.serving`: the processes of a relay, and the supervisor of several workers.

One of them serves by `relay/lifecycle.py`. Loads nothing by itself: see `__main__.py`.
"""
