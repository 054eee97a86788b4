"""What may go, and when: the arithmetic of a route's days, caps, walls and openings.

Read `reservation.py` for what is asked of a store, `standing.py` for days and states, `bounds.py`
and `walls.py` for what stops a message. `store/lua/` draws the same bounds where it is atomic.
"""
