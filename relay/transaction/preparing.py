"""A classified message as it leaves: its header completed, and signed."""

from __future__ import annotations

from relay.core.mail.message import Classified, Outgoing
from relay.core.mail.trace import prepared
from relay.ports import Clock, Signer


class Preparing:
    """`hostname` stands in the Received field."""

    def __init__(self, hostname: str, clock: Clock, signer: Signer) -> None:
        self._hostname = hostname
        self._clock = clock
        self._signer = signer

    async def signed(self, message: Classified) -> Outgoing:
        """What the upstream gets. Raises KeyTrouble."""
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
