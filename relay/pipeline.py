"""The sentence: authenticate, classify, reserve, sign, forward, settle.

The edge has authenticated the client; everything after is `relay` below, in order. There is
no try, no log and no metric here: `charging.py` owns what failure means for the quota,
`edge/replies.py` what it means for the client, `telemetry/` what is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from relay.charging import RETRIED, Charging
from relay.core.classify import check_reverse_path
from relay.core.domain import domain_of
from relay.core.mail import Classified, Client, Envelope, Outgoing, Submission
from relay.core.quota import Reservation
from relay.core.tenancy import Directory
from relay.core.trace import prepared
from relay.ports import Accepted, Clock, Settings, Signer, Upstream

Classify = Callable[[Submission, Directory], Classified]


class Pipeline:
    """Implements `ports.Relay`. `hostname` stands in the Received field."""

    def __init__(
        self,
        hostname: str,
        settings: Settings,
        clock: Clock,
        classify: Classify,
        charging: Charging,
        signer: Signer,
        upstreams: Mapping[str, Upstream],
    ) -> None:
        self._hostname = hostname
        self._settings = settings
        self._clock = clock
        self._classify = classify
        self._charging = charging
        self._signer = signer
        self._upstreams = upstreams

    async def relay(self, submission: Submission) -> Accepted:
        """See `ports.Relay`."""
        message = self._classify(submission, self._settings.directory)
        async with self._charging.reserved(message) as charge:
            if charge.is_retry:
                return Accepted(RETRIED, charge.reservation)
            signed = await self._signed(message)
            upstream = self._upstreams[message.route.id.upstream]
            return await self._charging.hand_over(charge, upstream, signed)

    async def _signed(self, message: Classified) -> Outgoing:
        head = prepared(message, self._hostname, self._clock.now())
        signatures = await self._signer.sign(message, head, message.body)
        return Outgoing(
            envelope=message.submission.envelope,
            head=signatures + head,
            body=message.body,
            ref=message.submission.ref,
            needs_8bit=message.needs_8bit,
            needs_utf8=message.needs_utf8,
        )

    def check_sender(self, client: Client, mail_from: str) -> None:
        """See `ports.Relay`."""
        check_reverse_path(client.tenant, mail_from, self._settings.directory)

    async def check_quota(self, client: Client, envelope: Envelope, ref: str) -> None:  # noqa: ARG002
        """See `ports.Relay`."""
        name = domain_of(envelope.mail_from)
        domain = name and self._settings.directory.standing_in(client.tenant, name)
        if domain:
            await self._charging.peek(domain.routes[0], len(envelope.recipients))

    async def left(self, submission: Submission) -> None:
        """See `ports.Relay`."""
        await self._charging.left(submission.ref)

    async def unheard(self, receipt: Reservation) -> None:
        """See `ports.Relay`."""
        await self._charging.unheard(receipt)

    async def heard(self, receipt: Reservation) -> None:
        """See `ports.Relay`."""
        await self._charging.heard(receipt)
