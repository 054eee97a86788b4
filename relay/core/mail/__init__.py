"""What a message is: its header section, its sender, its class, and what the relay adds to it.

Bytes in, bytes out. Read `message.py`, then `classify.py`.
"""
