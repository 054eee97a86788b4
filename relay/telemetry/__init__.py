"""Metrics, logs, and what is told of one message.

Owns every metric name (`metrics.py`, one table) and the one log line a message gets
(`story.py`). Wraps the other rooms' ports from outside, so that none of them counts or logs
for itself. Read `metrics.py` first.
"""
