"""What `pipeline.py` does with the mail of a transaction: reserve, prepare, hand over, settle.

The middle of the relay: it knows all other rooms as ports only. Owns what a failure means for the
quota (rules 1 to 3). Read `charging.py` first; then `splitting.py`, where each recipient goes its
own way, and `batching.py`, where several messages are one.
"""
