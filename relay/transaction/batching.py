"""Several messages as one: all of them are reserved, or none; each is then sent and settled.

The quota of all messages of a domain, class and campaign is one reservation, one atomic step,
over the first of the domain's routes that takes them all; it is then divided so that every
message is charged for what became of it. Messages of several domains are several reservations:
if one is refused, those before it are given back.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from relay.core.errors import NeverFits, RelayError
from relay.core.mail.message import Classified, Submission
from relay.core.quota.reservation import Part, Reservation, Verdict
from relay.core.tenants.tenancy import Directory
from relay.ports import QuotaStore, Settings
from relay.ports.relay import Accepted
from relay.ports.upstream import Upstream
from relay.ports.web import BadMessageOfBatch
from relay.transaction.charging import Charging, Shares
from relay.transaction.preparing import Preparing
from relay.transaction.reserving import Wanted
from relay.transaction.verdicts import heard_as, verdict_on

Classify = Callable[[Submission, Directory], Classified]
Telling = Callable[[Submission, Awaitable[Accepted], Classified | None], Awaitable[Accepted]]

AT_ONCE: Final = 10
"""How many messages of one batch are with an upstream at the same time."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A message, and the part of the quota that is its own."""

    message: Classified
    reservation: Reservation


@dataclass(frozen=True, slots=True)
class Batching:
    """Implements `ports.web.Batches`. `telling` wraps what becomes of each message."""

    settings: Settings
    classify: Classify
    charging: Charging
    store: QuotaStore
    preparing: Preparing
    upstreams: Mapping[str, Upstream]
    telling: Telling

    async def relay_all(self, submissions: Sequence[Submission]) -> list[Accepted | RelayError]:
        """See `ports.web.Batches`."""
        try:
            messages = [self._classified(*pair) for pair in enumerate(submissions)]
        except BadMessageOfBatch as bad:
            await self._tell_refused([submissions[bad.number]], bad.error)
            raise
        try:
            held = await self._reserve(messages)
        except RelayError as error:
            await self._tell_refused(submissions, error)
            raise
        turn = asyncio.Semaphore(AT_ONCE)
        told = (self._told(each, turn) for each in held)
        found = await asyncio.gather(*told, return_exceptions=True)
        answers = [each for each in found if isinstance(each, Accepted | RelayError)]
        for each in found:  # all the others have come to their end
            if not isinstance(each, Accepted | RelayError):
                raise each
        by_ref = dict(zip([each.message.submission.ref for each in held], answers, strict=True))
        return [by_ref[submission.ref] for submission in submissions]

    def _classified(self, number: int, submission: Submission) -> Classified:
        try:
            return self.classify(submission, self.settings.directory)
        except RelayError as error:
            raise BadMessageOfBatch(number, error) from error

    async def _reserve(self, messages: Sequence[Classified]) -> list[_Held]:
        groups: dict[object, list[Classified]] = {}
        for message in messages:
            alike = (message.domain.name, message.mail_class, message.campaign)
            groups.setdefault(alike, []).append(message)
        held: list[_Held] = []
        try:
            for group in groups.values():
                held += await self._reserve_group(group)
        except BaseException:
            await self.charging.settle([each.reservation for each in held], Verdict.REFUND)
            raise
        return held

    async def _reserve_group(self, group: Sequence[Classified]) -> list[_Held]:
        """Charge `group` to the first route that takes all of it, and divide the charge."""
        parts = [await self._part(message) for message in group]
        whole = await self._reserve_whole(group, parts)
        try:
            divided = await self.store.divide(whole, parts)
        except BaseException:
            # Either the whole or its parts are there; giving back what is not changes nothing.
            maybe = [replace(whole, id=part.id, count=part.count) for part in parts]
            await self.charging.settle([whole, *maybe], Verdict.REFUND)
            raise
        return [_Held(*pair) for pair in zip(group, divided, strict=True)]

    async def _reserve_whole(
        self, group: Sequence[Classified], parts: Sequence[Part]
    ) -> Reservation:
        try:
            return await self.charging.reserve_one(group[0].domain.walk, _wanted(group, parts))
        except NeverFits as refused:
            if len(group) == 1:
                raise
            raise NeverFits(refused.wall, "batch") from refused

    async def _part(self, message: Classified) -> Part:
        recipients = message.submission.envelope.recipients
        split = await self.charging.split_of(recipients)
        return Part(message.submission.ref, len(recipients), split)

    async def _told(self, held: _Held, turn: asyncio.Semaphore) -> Accepted:
        """Settled whatever comes: what is cut off while it waits for its turn is given back."""
        message, shares = held.message, Shares((held.reservation,))
        async with self.charging.settling(held.reservation.id, shares), turn:
            return await self.telling(message.submission, self._send(message, shares), message)

    async def _tell_refused(self, submissions: Sequence[Submission], error: RelayError) -> None:
        for submission in submissions:
            with suppress(RelayError):
                await self.telling(submission, _refusal(error), None)

    async def _send(self, message: Classified, shares: Shares) -> Accepted:
        signed = await self.preparing.signed(message)
        shares.verdict = Verdict.UNKNOWN
        upstream = self.upstreams[shares.reservations[0].route.upstream]
        shares.verdict, answer = verdict_on(await upstream.deliver(signed))
        return Accepted(heard_as(answer), None)


async def _refusal(error: RelayError) -> Accepted:
    raise error


def _wanted(group: Sequence[Classified], parts: Sequence[Part]) -> Wanted:
    """All that `group` asks for, as one; `parts` are what each of its messages does."""
    first, split = group[0], Counter[str]()
    for part in parts:
        split.update(dict(part.split))
    return Wanted(
        recipients=tuple(r for each in group for r in each.submission.envelope.recipients),
        mail_class=first.mail_class,
        reservation=f"{first.submission.ref}.all",
        session=first.submission.session,
        campaign=first.campaign,
        split=tuple(sorted(split.items())),
    )
