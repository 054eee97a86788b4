"""What the edge and the upstreams tell of themselves, counted."""

from __future__ import annotations

import re
from typing import Final

from prometheus_client import Gauge

from relay.core.reply import Reply
from relay.telemetry.metrics import Metrics
from relay.telemetry.values import InFile, InMemory, counted

MOST_REPLIES: Final = 1000
"""Kinds of answers whose counter is kept at hand."""

_ENHANCED: Final = re.compile(r"[245]\.[0-7]\.[0-9]{1,2}")


class Observer:
    """What the edge and the upstreams report of themselves."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.received = metrics.stages["receive"].observe
        self._replies: dict[tuple[str, int, str | None], InMemory | InFile] = {}
        self._listeners: dict[str, Gauge] = {}

    def connection_opened(self, listener: str) -> None:
        """A client connected."""
        self._connections(listener).inc()

    def connection_closed(self, listener: str) -> None:
        """It is gone."""
        self._connections(listener).dec()

    def _connections(self, listener: str) -> Gauge:
        found = self._listeners.get(listener)
        if found is None:
            found = self._listeners[listener] = self._metrics.connections.labels(listener)
        return found

    def auth_failed(self) -> None:
        """Credentials were wrong."""
        self._metrics.auth_failures.inc()

    def auth_blocked(self) -> None:
        """Credentials were refused unseen."""
        self._metrics.auth_blocked.inc()

    def crowded_out(self) -> None:
        """There was no memory for a message."""
        self._metrics.crowded_out.inc()

    def reply(self, upstream: str, answer: Reply) -> None:
        """An upstream answered."""
        said = (upstream, answer.code // 100, answer.detail)
        counter = self._replies.get(said)
        if counter is None:
            labels = (upstream, f"{answer.code // 100}xx", _bounded(answer.enhanced))
            counter = counted(self._metrics.upstream_replies.labels(*labels))
            if len(self._replies) < MOST_REPLIES:  # an upstream may make codes up
                self._replies[said] = counter
        counter.value += 1


def _bounded(enhanced: str | None) -> str:
    """The enhanced code as a label; one that RFC 3463 has no subject for is "other"."""
    return enhanced or "" if not enhanced or _ENHANCED.fullmatch(enhanced) else "other"
