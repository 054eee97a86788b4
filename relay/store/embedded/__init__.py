"""The embedded store: a private server, and what makes its file survive a power cut.

Read `store.py` for its life, `server_process.py` for the server, `disk.py` for the file,
`recovery.py` for what a crash leaves.
"""
