"""The sentence: authenticate, classify, reserve, sign, forward, settle.

The edge has authenticated the client; everything after is `relay` below, in order. There is
no try, no log and no metric here: `transaction/charging.py` owns what failure means for the quota,
`edge/replies.py` what it means for the client, `telemetry/` what is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from relay.concurrency.beside import beside
from relay.core.domain import domain_of
from relay.core.mail.classify import check_reverse_path
from relay.core.mail.message import Classified, Client, Envelope, Submission
from relay.core.tenants.tenancy import Directory
from relay.ports import Settings
from relay.ports.relay import Accepted, Hears
from relay.ports.upstream import Upstream
from relay.transaction.charging import RETRIED, Charging
from relay.transaction.preparing import Preparing
from relay.transaction.splitting import Splitting

Classify = Callable[[Submission, Directory], Classified]


class Pipeline:
    """Implements `ports.relay.Relay`; `splitting` is for recipients that come one by one."""

    def __init__(
        self,
        settings: Settings,
        classify: Classify,
        charging: Charging,
        preparing: Preparing,
        upstreams: Mapping[str, Upstream],
        splitting: Splitting,
    ) -> None:
        self._settings = settings
        self._classify = classify
        self._charging = charging
        self._preparing = preparing
        self._upstreams = upstreams
        self.begin = splitting.begin
        self.heard = charging.heard
        self.unheard = charging.unheard

    async def relay(self, submission: Submission, taken: Hears | None = None) -> Accepted:
        """See `ports.relay.Relay`."""
        size, directory = len(submission.content), self._settings.directory
        message = await beside(size, self._classify, submission, directory)
        async with self._charging.reserved(message) as charge:
            if charge.is_retry:
                return Accepted(RETRIED, charge.reservation, is_retry=True)
            signed = await self._preparing.signed(message)
            upstream = self._upstreams[charge.reservation.route.upstream]
            accepted = await self._charging.hand_over(charge, upstream, signed)
            if taken and self._charging.says_at_once():
                taken(accepted)
            return accepted

    def check_sender(self, client: Client, mail_from: str) -> None:
        """See `ports.relay.Relay`."""
        check_reverse_path(client.tenant, mail_from, self._settings.directory)

    def check_quota(
        self,
        client: Client,
        envelope: Envelope,
        ref: str,  # noqa: ARG002
    ) -> Coroutine[Any, Any, None] | None:
        """See `ports.relay.Relay`."""
        name = domain_of(envelope.mail_from)
        domain = name and self._settings.directory.standing_in(client.tenant, name)
        return self._charging.peek(domain.walk, len(envelope.recipients)) if domain else None

    async def left(self, submission: Submission) -> None:
        """See `ports.relay.Relay`."""
        await self._charging.left(submission.ref)
