"""The quota store: exact counters in Redis or Valkey, one Lua script a verb.

Owns keys, scripts, connections and the embedded server; knows nothing of SMTP, YAML or
policies beyond `core.quota`. Read `keys.py`, then `lua/reserve.lua`, then `redis_store.py`;
`connections/` is the way to the servers, `embedded/` the server that comes with the relay.
"""

from relay.store.opening import open_store
from relay.store.ownership import attach
from relay.store.troubles import StoreUnusable

__all__ = ["StoreUnusable", "attach", "open_store"]
