"""A nameserver whose answers are small.

What a hostile domain's servers say comes through any resolver; parsing 64 KiB of it would
hold the whole relay up for a tenth of a second. Over UDP the size is what we advertise; over
TCP, which a truncated answer leads to, this refuses before it reads.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

from dns import message
from dns.asyncquery import udp
from dns.exception import FormError
from dns.nameserver import Do53Nameserver

MOST_ANSWER_BYTES: Final = 4096
"""More than fifty MX records."""


class AnswerTooBig(FormError):
    """More than MOST_ANSWER_BYTES."""


class OtherQuestion(FormError):
    """The answer is not to what was asked."""


class SmallAnswers(Do53Nameserver):
    """A nameserver at an address and port, spoken to by UDP, and TCP where that is cut short."""

    async def async_query(
        self,
        request: message.QueryMessage,
        timeout: float,  # noqa: ASYNC109  the signature is the library's
        source: str | None,
        source_port: int,
        max_size: bool,  # noqa: FBT001  the same
        backend: Any,
        one_rr_per_rrset: bool = False,  # noqa: FBT001, FBT002  the same
        ignore_trailing: bool = False,  # noqa: FBT001, FBT002  the same
    ) -> message.Message:
        """See dnspython. Raises its errors, OSError, EOFError, TimeoutError."""
        del source, source_port, backend, one_rr_per_rrset, ignore_trailing
        if max_size:
            async with asyncio.timeout(timeout):
                return await self._by_tcp(request)
        return await udp(
            request,
            self.address,
            timeout=timeout,
            port=self.port,
            raise_on_truncation=True,
            ignore_errors=True,
            ignore_unexpected=True,
        )

    async def _by_tcp(self, request: message.QueryMessage) -> message.Message:
        reader, writer = await asyncio.open_connection(self.address, self.port)
        try:
            writer.write(request.to_wire(prepend_length=True))
            await writer.drain()
            size = int.from_bytes(await reader.readexactly(2), "big")
            if size > MOST_ANSWER_BYTES:
                raise AnswerTooBig
            answer = message.from_wire(await reader.readexactly(size))
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        if not request.is_response(answer):
            raise OtherQuestion
        return answer
