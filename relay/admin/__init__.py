"""What people do with a relay: tokens and users, changes to routes, policy files, the audit log.

For the command line and the web process alike, and away from the hot path. Implements the ports
of `ports/web.py` and `ports/pages.py`; knows neither HTTP nor pages, and of the store only ports.
Read `recording.py` first: whatever is changed here is noted ahead.
"""
