"""Added domains in the store: `ports.domains.DomainShelf`.

One hash has every record, another the marks that tell which have changed, so that who follows
them reads no more than what is new. A record that is not one of ours is told apart, alone.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Mapping
from typing import Any, Final

from relay.core.domain import normalize_domain
from relay.core.policy.policy import MailClass
from relay.core.tenants.added import AddedDomain, RouteWish
from relay.core.tenants.tenancy import SealedKey
from relay.ports.domains import Kept, Unreadable
from relay.store import keys
from relay.store.commands import Command, evalsha, pairs, script
from relay.store.connections.line import Line
from relay.store.slices import epoch_ms, from_epoch_ms

VERSION: Final = 1
"""Of a record. Another one is left alone: a newer relay has written it."""

_AT_ONCE: Final = 200
_KEYS: Final = (keys.DOMAINS, keys.DOMAIN_MARKS, keys.DOMAIN_COUNTS)


class RedisDomainShelf:
    """`ports.domains.DomainShelf` over `line`."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def put(self, domain: AddedDomain, *, instead: str | None, most: int) -> Kept:
        """See `ports.domains.DomainShelf`."""
        words = (domain.name, domain.tenant, domain.mark, _text_of(domain), instead or "", most)
        code = script("keep_domain")
        return await self._line.insist(evalsha("keep domain", code, _KEYS, words, Kept))

    async def remove(self, domain: AddedDomain) -> bool:
        """See `ports.domains.DomainShelf`."""
        words = (domain.name, domain.tenant, secrets.token_hex(8), domain.mark)
        code = script("drop_domain")
        return await self._line.insist(evalsha("drop domain", code, _KEYS, words, bool))

    async def get(self, name: str) -> AddedDomain | None:
        """See `ports.domains.DomainShelf`."""
        found = (await self.some([name])).get(name)
        return found if isinstance(found, AddedDomain) else None

    async def edition(self) -> str:
        """See `ports.domains.DomainShelf`."""
        words = ("HGET", keys.DOMAIN_MARKS, keys.LATEST)
        return await self._line.ask(Command("follow domains", words, lambda a: str(a or "")))

    async def marks(self) -> dict[str, str]:
        """See `ports.domains.DomainShelf`."""
        words = ("HGETALL", keys.DOMAIN_MARKS)
        found = await self._line.ask(Command("list domains", words, pairs))
        return {name: mark for name, mark in found.items() if name != keys.LATEST}

    async def some(self, names: Collection[str]) -> Mapping[str, AddedDomain | Unreadable]:
        """See `ports.domains.DomainShelf`. Some hundred in one round trip."""
        wanted = list(names)
        found: dict[str, AddedDomain | Unreadable] = {}
        for at in range(0, len(wanted), _AT_ONCE):
            some = wanted[at : at + _AT_ONCE]
            command = Command("read domains", ("HMGET", keys.DOMAINS, *some), list)
            texts = await self._line.ask(command)
            read = zip(some, texts, strict=True)
            found |= {name: _read(name, text) for name, text in read if text is not None}
        return found


def _text_of(domain: AddedDomain) -> str:
    return json.dumps(
        {
            "version": VERSION,
            "tenant": domain.tenant,
            "routes": [[each.upstream, each.policy] for each in domain.routes],
            "token": domain.token,
            "created_at": epoch_ms(domain.created_at),
            "created_by": domain.created_by,
            "envelope_domains": list(domain.envelope_domains),
            "class": domain.mail_class,
            "dkim": [[key.selector, key.record, key.sealed] for key in domain.dkim],
            "proven_at": None if domain.proven_at is None else epoch_ms(domain.proven_at),
            "proven_by": domain.proven_by,
            "mark": domain.mark,
        }
    )


def _read(name: str, text: str) -> AddedDomain | Unreadable:
    try:
        return _domain_from(name, json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return Unreadable(f"{type(error).__name__}: {error}"[:200])


def _domain_from(name: str, told: dict[str, Any]) -> AddedDomain:
    if told["version"] != VERSION:
        raise ValueError(f"version {told['version']!r}; this relay knows {VERSION}")
    if normalize_domain(name) != name:
        raise ValueError("its name is not in the one form that is compared")
    return AddedDomain(
        name=name,
        tenant=str(told["tenant"]),
        routes=tuple(RouteWish(*map(str, each)) for each in told["routes"]),
        token=str(told["token"]),
        created_at=from_epoch_ms(told["created_at"]),
        created_by=str(told["created_by"]),
        envelope_domains=tuple(normalize_domain(each) for each in told["envelope_domains"]),
        mail_class=None if told["class"] is None else MailClass(told["class"]),
        dkim=tuple(SealedKey(*map(str, each)) for each in told["dkim"]),
        proven_at=None if told["proven_at"] is None else from_epoch_ms(told["proven_at"]),
        proven_by=str(told["proven_by"]),
        mark=str(told["mark"]),
    )
