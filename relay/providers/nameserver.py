"""A nameserver whose answers are small.

What a hostile domain's servers say comes through any resolver; parsing 64 KiB of it would
hold the whole relay up for a tenth of a second. Over UDP the size is what we advertise; over
TCP, which a truncated answer leads to, this refuses before it reads.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from copy import copy
from typing import Any, Final

from dns import message, rcode
from dns.asyncquery import udp
from dns.exception import FormError
from dns.nameserver import Do53Nameserver

MOST_ANSWER_BYTES: Final = 4096
"""More than fifty MX records."""

_NO_EDNS: Final = frozenset({rcode.FORMERR, rcode.NOTIMP})
"""What a server answers that does not know EDNS (RFC 6891 §7, RFC 2671 §5.3)."""


class AnswerTooBig(FormError):
    """More than MOST_ANSWER_BYTES."""


class OtherQuestion(FormError):
    """The answer is not to what was asked."""


class SmallAnswers(Do53Nameserver):
    """A nameserver at an address and port, spoken to by UDP, and TCP where that is cut short.

    One that does not know EDNS, as some small routers, is asked again without.
    """

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
        answer = await self._asked(request, timeout, by_tcp=max_size)
        if answer.rcode() not in _NO_EDNS:
            return answer
        plain = copy(request)
        plain.use_edns(edns=False)
        return await self._asked(plain, timeout, by_tcp=max_size)

    async def _asked(
        self, request: message.QueryMessage, timeout_s: float, *, by_tcp: bool
    ) -> message.Message:
        if by_tcp:
            async with asyncio.timeout(timeout_s):
                return await self._by_tcp(request)
        return await udp(
            request,
            self.address,
            timeout=timeout_s,
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
