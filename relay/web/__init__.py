"""HTTP: metrics and health (`ops.py`), the JSON API (`api/`) and the dashboard (`dashboard/`).

Knows what the relay tells of itself (`ops.Vitals`), the other rooms as ports only, and nothing of
who keeps the process alive: that is `web_process`. Read `server.py` first, then `site.py`.
"""
