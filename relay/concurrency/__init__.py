"""Work beside other work in one process: behind an answer, in a thread, or together with others.

`background.py` for what outlives its caller, `beside.py` for what would hold the loop,
`company.py` for crowds, `waiting.py` for a wait that may end by itself. Knows nothing of mail;
standard library only.
"""
