"""RSA signatures of messages that are signed at the same time: made together.

Owns who waits for whom, and that is within one turn of the loop: nobody waits for a message that
is not here. Which library makes them is `multibuffer.py`; without it everyone signs alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from relay.signing.keys import SigningKey
from relay.signing.multibuffer import LANES, MultiBuffer, Numbers, WrongSignature

WORTH: Final = 4
"""So many together cost less than each alone, with OpenSSL 3 on the same processor."""

log = structlog.get_logger("relay.signing")

Asked = tuple[SigningKey, Numbers, bytes, asyncio.Future[bytes]]


class Batch:
    """Signs with `together`, if there is one; `others` tells how many more may come in this turn.

    An RSA-2048 signature is a third of a message's CPU; among eight it takes a third of that.
    """

    def __init__(
        self, together: MultiBuffer | None = None, others: Callable[[], int] = lambda: 0
    ) -> None:
        self._together = together
        self._others = others
        self._waiting: list[Asked] = []

    async def sign(self, key: SigningKey, data: bytes) -> bytes:
        """As `SigningKey.sign`; whoever is cancelled holds up nobody."""
        is_alone = self._together is None or not (self._waiting or self._others())
        numbers = None if is_alone else key.numbers
        if numbers is None:
            return key.sign(data)
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._go)
        mine: asyncio.Future[bytes] = loop.create_future()
        self._waiting.append((key, numbers, data, mine))
        return await mine

    def _go(self) -> None:
        """Sign for as many as go at once; the next ones have a turn of their own."""
        asked, self._waiting = self._waiting[:LANES], self._waiting[LANES:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._go)
        asked = [one for one in asked if not one[-1].done()]
        try:
            signatures = self._signatures(asked)
        except Exception as error:  # noqa: BLE001 - each of them hears of it
            for *_, future in asked:
                future.set_exception(error)
            return
        for (*_, future), signature in zip(asked, signatures, strict=True):
            future.set_result(signature)

    def _signatures(self, asked: Sequence[Asked]) -> list[bytes]:
        if self._together and len(asked) >= WORTH:
            try:
                return self._together.sign([one[1] for one in asked], [one[2] for one in asked])
            except WrongSignature:
                self._together = None
                # Where in the code it was is of no use to anybody.
                log.error("wrong rsa signatures; none are made together any more")  # noqa: TRY400
        return [key.sign(data) for key, _, data, _ in asked]
