"""Asking the DNS for TXT records: the proofs of added domains. Keeps nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from dns import name as names
from dns.exception import DNSException
from dns.resolver import NXDOMAIN

from relay.ports.domains import NoDns
from relay.providers.resolving import Resolvers

DEADLINE_S: Final = 5.0
MOST_TEXTS: Final = 100


class TxtResolver:
    """Implements `ports.domains.Txt`."""

    def __init__(self, nameservers: Sequence[tuple[str, int]]) -> None:
        self._resolvers = Resolvers(nameservers, DEADLINE_S)

    async def texts(self, name: str) -> tuple[str, ...]:
        """See `ports.domains.Txt`."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await self._texts(name)
        except NXDOMAIN:
            return ()
        except TimeoutError:
            raise NoDns(f"the DNS did not answer within {DEADLINE_S:g} s") from None
        except (DNSException, OSError, EOFError, ValueError) as error:
            raise NoDns(f"the DNS did not answer: {type(error).__name__}") from error
        except Exception as error:
            raise NoDns(f"the DNS makes no sense: {type(error).__name__}") from error

    async def _texts(self, name: str) -> tuple[str, ...]:
        resolver = self._resolvers.current()
        answer = await resolver.resolve(
            names.from_text(name), "TXT", raise_on_no_answer=False, search=False
        )
        records = list(answer.rrset or ())[:MOST_TEXTS]
        return tuple(b"".join(each.strings).decode("ascii", "replace") for each in records)
