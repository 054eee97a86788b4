"""What people write, as the plain values of `relay.core`: relay.yaml and the policies.

`load.py` is the way in (one config, or every problem of it), `live.py` holds the config in
force, `schema/` has the keys and their documentation, `tokens.py`
the credentials. Knows YAML, files and pydantic; nothing of SMTP, Redis or the web.
"""
