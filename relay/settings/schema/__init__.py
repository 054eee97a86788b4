"""The keys that people write, one class a mapping: their descriptions are the manual.

`root.py` for relay.yaml, `policy.py` for a policy file; `fields.py` says what kinds of values there
are. Each key by itself: what spans several of them is `settings/checks`.
"""
