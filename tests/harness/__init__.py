"""What the tests need around the relay: real servers, real clients, and the relay itself.

Everything listens on loopback, lives in a directory of its own, is waited for with a
deadline and is ended by its process id. Nothing in here imports `relay`: the command is
started as a user would start it.
"""
