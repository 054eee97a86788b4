"""Asking the DNS where a domain's mail goes (RFC 5321 §5.1, RFC 7505).

Whatever comes back, and whatever does not, becomes an `MxFinding`: bounded, normalised, and
with a TTL between LEAST_TTL_S and MOST_TTL_S. Keeps nothing.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from typing import Final

from dns import name as names
from dns.exception import DNSException, Timeout
from dns.message import Message
from dns.name import Name
from dns.rdatatype import SOA
from dns.resolver import NXDOMAIN, Answer, NoNameservers, NoResolverConfiguration

from relay.core.providers import LEAST_TTL_S, MOST_HOSTS, MOST_TTL_S, MxFinding, MxKind
from relay.providers.resolving import Resolvers

DEADLINE_S: Final = 5.0
"""For everything there is to ask about one domain."""

_HOST = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\Z", re.ASCII)
_MOST_HOST: Final = 253


class MxResolver:
    """Asks `nameservers` (address and port), or those of the system where there are none."""

    def __init__(
        self,
        nameservers: Sequence[tuple[str, int]] = (),
        deadline_s: float = DEADLINE_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._deadline_s = deadline_s
        self._resolvers = Resolvers(nameservers, deadline_s, monotonic)

    async def find(self, domain: str) -> MxFinding:
        """What the DNS says of `domain` (normalised) within the deadline. Never raises."""
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._find(names.from_text(domain))
        except (TimeoutError, Timeout):
            return _unknown(f"no answer within {self._deadline_s:g} s")
        except NoNameservers:
            return _unknown("no nameserver answered the question")
        except NoResolverConfiguration:
            return _unknown("this machine names no nameserver")
        except (DNSException, OSError, EOFError, ValueError) as error:
            return _unknown(f"the DNS failed: {type(error).__name__}")
        except Exception as error:  # noqa: BLE001  answers come from strangers
            return _unknown(f"an answer that makes no sense: {type(error).__name__}")

    async def _find(self, domain: Name) -> MxFinding:
        try:
            answer = await self._ask(domain, "MX")
        except NXDOMAIN as none:
            return _negative(MxKind.NO_DOMAIN, none.response(domain))  # type: ignore[no-untyped-call]
        if answer.rrset is None:
            return await self._implicit(domain, answer)
        return _hosts(answer)

    async def _implicit(self, domain: Name, no_mx: Answer) -> MxFinding:
        """RFC 5321 §5.1: without an MX, the domain itself, if it has an address."""
        nothing = _negative(MxKind.NO_HOST, no_mx.response)
        for kind in ("A", "AAAA"):
            try:
                found = await self._ask(domain, kind)
            except NXDOMAIN:
                return nothing
            if found.rrset is not None:
                return MxFinding(MxKind.IMPLICIT, (_host(domain),), nothing.ttl_s)
        return nothing

    async def _ask(self, domain: Name, kind: str) -> Answer:
        resolver = self._resolvers.current()
        return await resolver.resolve(domain, kind, raise_on_no_answer=False, search=False)


def _hosts(answer: Answer) -> MxFinding:
    assert answer.rrset is not None
    ttl_s = _clamped(answer.chaining_result.minimum_ttl)
    records = [(record.preference, record.exchange) for record in answer.rrset]
    if all(exchange == names.root for _, exchange in records):
        return MxFinding(MxKind.NULL, ttl_s=ttl_s)
    named = [(preference, _host(exchange)) for preference, exchange in records]
    named = [(preference, host) for preference, host in named if host]
    lowest = min((preference for preference, _ in named), default=0)
    hosts = sorted({host for preference, host in named if preference == lowest})
    return MxFinding(MxKind.MX, tuple(hosts[:MOST_HOSTS]), ttl_s)


def _host(exchange: Name) -> str:
    """The name in lower case without its final dot; "" for one that is not a host's."""
    text = exchange.to_text(omit_final_dot=True).lower()
    return text if len(text) <= _MOST_HOST and _HOST.match(text) else ""


def _negative(kind: MxKind, response: Message) -> MxFinding:
    """RFC 2308 §5: as long as the SOA in the answer says; without one, the least."""
    for rrset in response.authority:
        if rrset.rdtype == SOA:
            return MxFinding(kind, ttl_s=_clamped(min(rrset.ttl, rrset[0].minimum)))
    return MxFinding(kind, ttl_s=LEAST_TTL_S)


def _clamped(ttl_s: float) -> float:
    return min(max(float(ttl_s), LEAST_TTL_S), MOST_TTL_S)


def _unknown(why: str) -> MxFinding:
    return MxFinding(MxKind.UNKNOWN, why=why)
