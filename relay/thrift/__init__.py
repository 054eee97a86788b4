"""What a process does about its memory: when Python's collector rests, and what is let go.

`resting.py` while modules load, `collector.py` while much is made that stays, `settling.py` before
a process serves.
"""
