"""What the store keeps besides quota: added domains, tokens, users, the audit log, charts, answers.

One class a port of `ports/domains.py`, `ports/web.py` and `ports/pages.py`.
"""
