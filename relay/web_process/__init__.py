"""The web process, from both sides: as `serve` keeps it, and what it is.

`front.py` starts it and keeps it alive, `understudy.py` answers while it cannot; `process.py` runs
it, `rooms.py` builds what HTTP needs, `outbox.py` brings mail of the API into the pipeline. What
is answered is in `relay/web`. The first two are part of the relay and load none of the others.
"""
