"""Plain values and functions: stdlib only, synchronous, no clock, no I/O.

Time comes in as an argument. Nothing here knows Redis, SMTP sockets, YAML or asyncio.
Its rooms, each of which imports only those before it: `policy/` (what a policy says), `tenants/`
(who may send, and from where), `quota/` (what may go now); then `mail/` (what a message is),
`plan/` (what would go) and `status/` (what is told of a route), which do not know each other.
Read `policy/policy.py`, then `quota/reservation.py`, then `errors.py`.
"""
