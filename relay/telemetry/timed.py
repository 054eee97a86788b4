"""The rooms' ports, wrapped so that the stages of a message are timed.

Each wrapper reads the clock by itself: a context manager would cost more than what it measures
here, several times for each message.
"""

from __future__ import annotations

from datetime import datetime
from time import perf_counter

from relay.core.mail.message import Classified, Envelope, Outgoing
from relay.core.quota.reservation import Answer, Demand, Reservation, Verdict
from relay.ports import QuotaStore, Signer
from relay.ports.upstream import Clearance, Handover, Outcome, Refusal, Upstream
from relay.telemetry.metrics import Metrics
from relay.telemetry.story import current


class MeasuredStore:
    """Wraps `ports.QuotaStore`: times reserve, what it waits for the disk, and settle."""

    def __init__(self, store: QuotaStore, metrics: Metrics) -> None:
        self._store = store
        self._reserve = metrics.stages["reserve"]
        self._sync = metrics.stages["sync"]
        self._settle = metrics.stages["settle"]
        self.divide = store.divide
        self.says_at_once = store.says_at_once
        self.left = store.left
        self.heard = store.heard
        self.attempts = store.attempts
        self.standing = store.standing
        self.standings = store.standings
        self.start = store.start
        self.pause = store.pause
        self.resume = store.resume
        self.graduate = store.graduate
        self.restart = store.restart
        self.adopt = store.adopt

    async def reserve(self, demand: Demand, *, anew: bool = False) -> Answer:
        """See `ports.QuotaStore`."""
        began = perf_counter()
        try:
            return await self._store.reserve(demand, anew=anew)
        finally:
            self._reserve.observe(perf_counter() - began)

    async def lasts(self, reservation: Reservation) -> None:
        """See `ports.QuotaStore`."""
        began = perf_counter()
        try:
            await self._store.lasts(reservation)
        finally:
            self._sync.observe(perf_counter() - began)

    async def settle(self, reservation: Reservation, verdict: Verdict, now: datetime) -> None:
        """See `ports.QuotaStore`."""
        began = perf_counter()
        try:
            await self._store.settle(reservation, verdict, now)
        finally:
            self._settle.observe(perf_counter() - began)


class MeasuredSigner:
    """Wraps `ports.Signer`."""

    def __init__(self, signer: Signer, metrics: Metrics) -> None:
        self._signer = signer
        self._observe = metrics.stages["sign"].observe

    async def sign(self, message: Classified, head: bytes, body: memoryview) -> bytes:
        """See `ports.Signer`."""
        began = perf_counter()
        try:
            return await self._signer.sign(message, head, body)
        finally:
            self._observe(perf_counter() - began)


class MeasuredUpstream:
    """Wraps `ports.upstream.Upstream`: times the forwarding."""

    def __init__(self, upstream: Upstream, metrics: Metrics) -> None:
        self._upstream = upstream
        self._metrics = metrics
        self._observe = metrics.stages["forward"].observe
        self._name = upstream.name
        self.probe = upstream.probe
        self.close = upstream.close

    @property
    def name(self) -> str:
        """See `ports.upstream.Upstream`."""
        return self._name

    @property
    def offers(self) -> frozenset[str] | None:
        """See `ports.upstream.Upstream`."""
        return self._upstream.offers

    async def deliver(self, message: Outgoing, cleared: Clearance | None = None) -> Outcome:
        """See `ports.upstream.Upstream`."""
        _goes_over(self._name)
        began = perf_counter()
        try:
            return await self._upstream.deliver(message, cleared)
        finally:
            self._observe(perf_counter() - began)

    async def begin(self, envelope: Envelope) -> Handover | Refusal:
        """See `ports.upstream.Upstream`."""
        begun = await self._upstream.begin(envelope)
        if isinstance(begun, Refusal):
            return begun
        return MeasuredHandover(begun, self._metrics, self._name)


class MeasuredHandover:
    """Wraps `ports.upstream.Handover`: times the forwarding, not the waiting between recipients."""

    def __init__(self, handover: Handover, metrics: Metrics, upstream: str) -> None:
        self._handover = handover
        self._observe = metrics.stages["forward"].observe
        self._upstream = upstream
        self.recipient = handover.recipient
        self.abort = handover.abort

    async def send(self, message: Outgoing) -> Outcome:
        """See `ports.upstream.Handover`."""
        _goes_over(self._upstream)
        began = perf_counter()
        try:
            return await self._handover.send(message)
        finally:
            self._observe(perf_counter() - began)


def _goes_over(upstream: str) -> None:
    """The story's message is sent to this upstream."""
    if story := current.get():
        story.upstream = upstream
