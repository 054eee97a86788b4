"""Recipient domain to mailbox provider: data file, memory, store, DNS, in that order.

`lookup.py` is the room's answer to `ports.Providers`; `asking.py` keeps the DNS in the
background and in bounds, `mx.py` asks it, `recent.py` remembers. Knows nothing of SMTP,
quota, YAML or Redis.
"""

from relay.providers.lookup import Lookup

__all__ = ["Lookup"]
