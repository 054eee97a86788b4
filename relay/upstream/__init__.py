"""Handing mail over: SMTP servers and maildirs, both as `ports.upstream.Upstream`.

Read `smtp.py` (which host, which connection), then `connection.py` (one message over one
connection: where certainty ends), then `wire.py`. Knows nothing of quotas, domains, DKIM or
of who is asking.
"""
