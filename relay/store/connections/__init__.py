"""From a command to the server that it is meant for, and back: one server, Sentinel or Cluster.

Knows nothing of quota. Read `line.py` for deadlines and what may be said twice, `topology.py` for
what stands behind a store, `pipe.py` for one connection.
"""
