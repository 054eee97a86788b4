"""HTTP: metrics and health now; the JSON API and the dashboard move in later.

Knows what the relay tells of itself (`ops.Vitals`), and no other room.
"""
