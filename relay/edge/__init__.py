"""SMTP listeners and sessions: what clients speak to (DESIGN §6).

Owns sockets, TLS, PROXY headers, the dialogue, AUTH and the one place where an exception
becomes a reply. Knows the rest of the house only as `ports.relay.Relay` and the two small ports of
`surroundings.py`; nothing here knows quota, upstreams or the store.
Read `session.py` first, then `dialogue.py`, `connection.py` and `hearing.py`.
"""
