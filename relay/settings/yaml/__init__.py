"""YAML 1.2 as a config needs it: bounded, with the place of every key and value.

Read `document.py` for what comes out, `files.py` for how; `regular.py` is the fast way for what
programs write. Knows nothing of which keys there are.
"""
