"""Campaigns that keep to one route (a policy's `sticky`).

What makes messages one campaign is read in `mail/classify.py`; which route it keeps to, the store
decides with the first message that it charges (`store/lua/campaigns.lua`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Campaign:
    """A message's campaign.

    `digest` stands for the value of its header field (64 hex digits; the domain goes beside it).
    It keeps to its route until `keep_s` after its last message, and only to one of `upstreams`:
    a route that the config no longer has holds nothing.
    """

    digest: str
    keep_s: int
    upstreams: tuple[str, ...]
