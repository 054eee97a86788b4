"""Answers as JSON text, and the text of a status, which is kept while its route stands as it stood.

Programs poll: between two of their questions nearly every route is where it was, and to describe
it anew costs more than to ask the store. Knows nothing of who asks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from relay.core.quota.changes import may
from relay.core.status.report import Status
from relay.core.tenants.tenancy import RouteId

MOST_KEPT: Final = 2_000
"""Texts; of a status they have about a kilobyte."""

as_json: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
"""A value as text. Raises ValueError for a number that JSON has not."""

_kept: dict[RouteId, tuple[Status, bytes]] = {}


def text_of(status: Status) -> bytes:
    """`status` as JSON, and what may be done to its route.

    What is kept is told again of an equal status only; statuses are equal whatever the time, so
    nothing is kept where smoothing opens more of the cap by the minute.
    """
    if status.route.policy.smoothing:
        return _text_of(status)
    name = status.route.id
    known = _kept.get(name)
    if known is not None and known[0] == status:
        return known[1]
    text = _text_of(status)
    while len(_kept) >= MOST_KEPT:
        del _kept[next(iter(_kept))]
    _kept[name] = (status, text)
    return text


def page_of(texts: Sequence[bytes], cursor: str | None) -> bytes:
    """A page of what `texts` describe, and where the next one begins."""
    return b'{"data":[' + b",".join(texts) + b'],"next":' + as_json(cursor).encode() + b"}"


def _text_of(status: Status) -> bytes:
    verbs = [verb.value for verb in may(status.state, has_ramp=status.has_ramp)]
    return as_json(status.fields() | {"may": verbs}).encode()
