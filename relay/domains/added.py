"""Added domains: made, changed, verified, approved, removed, and seen beside those of the config.

Which of them is in force is `following.py` and the live settings; who may ask is decided where
the request comes in. The entry in the audit log is written ahead of the change
(`admin/recording.py`).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Final

from relay.admin.recording import entry, was_done, was_not_done, written_ahead
from relay.core.tenants.added import TOKEN_PREFIX, AddedDomain, Offer
from relay.core.tenants.audit import AuditEntry
from relay.core.tenants.published import DnsRecord, beginnings, proof
from relay.core.tenants.tenancy import SealedKey, SendingDomain
from relay.domains.following import Following
from relay.domains.views import Views, records_of, view_of_added, view_of_config
from relay.domains.wishes import (
    check,
    check_allowed,
    checked_name,
    edited,
    normal,
    offer_of,
    stands_elsewhere,
)
from relay.ports import Clock
from relay.ports.domains import (
    EVERY,
    By,
    DomainEdit,
    DomainRefused,
    DomainShelf,
    DomainState,
    DomainView,
    Kept,
    NoDns,
    Origin,
    Txt,
    Which,
    Why,
)
from relay.ports.web import AuditLog
from relay.settings.live import LiveSettings
from relay.signing.sealed import new_sealed_keys
from relay.signing.sealing import NoSealingKey, Vault

TRIES: Final = 3
"""How often a change is made anew that met another one."""

_LABEL_BYTES: Final = 3
_TOKEN_BYTES: Final = 16


def new_token() -> str:
    """What a TXT record has to say: 128 random bits."""
    return TOKEN_PREFIX + secrets.token_hex(_TOKEN_BYTES)


@dataclass(frozen=True, slots=True)
class DomainDesk:
    """Implements `ports.domains.Domains`.

    `on_disk` waits until what the store has answered outlives a power cut.
    """

    settings: LiveSettings
    shelf: DomainShelf
    following: Following
    audit: AuditLog
    clock: Clock
    vault: Vault
    txt: Txt
    on_disk: Callable[[], Awaitable[None]]
    making: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    async def add(self, name: str, tenant: str, wanted: DomainEdit, by: By) -> DomainView:
        """See `ports.domains.Domains`."""
        domain = self._checked(name, tenant, wanted, by)
        most = self.settings.config.limits.added_domains
        if await self.shelf.get(domain.name) is not None:
            raise self._taken(domain.name, by)
        domain = replace(domain, dkim=await self._new_keys(domain.name))
        ahead = await self._ahead("add domain", domain, {}, by)
        kept = await self.shelf.put(domain, instead=None, most=most)
        if kept is not Kept.DONE:
            await was_not_done(self.audit, ahead)
        if kept is Kept.FULL:
            told = f"{tenant} has {most} added domains, which is limits.added_domains"
            raise DomainRefused(Why.CONFLICT, told)
        if kept is not Kept.DONE:
            raise self._taken(domain.name, by)
        return await self._done(ahead, domain)

    async def change(
        self, name: str, wanted: DomainEdit, by: By, *, only: str | None = None
    ) -> DomainView:
        """See `ports.domains.Domains`."""

        def changed(domain: AddedDomain) -> AddedDomain:
            _check_mark(domain, only)
            check_allowed(wanted, by)
            after = edited(domain, wanted)
            check(self.settings.base, after, has_new_routes=wanted.routes is not None)
            return after

        return await self._change("change domain", name, changed, by)

    async def remove(self, name: str, by: By, *, only: str | None = None) -> DomainView:
        """See `ports.domains.Domains`."""
        for _ in range(TRIES):
            domain = await self._held(name, by)
            _check_mark(domain, only)
            before = self._view(domain)
            ahead = await self._ahead("remove domain", domain, before.fields(), by)
            if await self.shelf.remove(domain):
                await self._settle()
                await was_done(self.audit, ahead, {})
                return before
            await was_not_done(self.audit, ahead)
        raise _busy(name)

    async def verify(self, name: str, by: By) -> DomainView:
        """See `ports.domains.Domains`."""
        domain = await self._held(name, by)
        if domain.is_proven:
            return self._view(domain)
        record = proof(domain)
        try:
            found = await self.txt.texts(record.name)
        except NoDns as error:
            raise DomainRefused(Why.AWAY, f"{record.name}: {error}") from error
        if domain.token not in found:
            others = f"; it says {found[0][:80]!r}" if found else ""
            told = f"{record.name} has no TXT record {domain.token}{others}"
            raise DomainRefused(Why.CONFLICT, told)
        return await self._prove("verify domain", domain, f"the TXT record of {record.name}", by)

    async def approve(self, name: str, by: By) -> DomainView:
        """See `ports.domains.Domains`."""
        domain = await self._held(name, by)
        if domain.is_proven:
            return self._view(domain)
        return await self._prove("approve domain", domain, by.actor, by)

    def offer(self) -> Offer:
        """See `ports.domains.Domains`."""
        return offer_of(self.settings.base)

    async def one(self, name: str, by: By) -> DomainView:
        """See `ports.domains.Domains`."""
        try:
            return self._view(await self._held(name, by))
        except DomainRefused:
            found = self.settings.base.directory.domains.get(normal(name))
            if found is None or not by.sees(found.tenant):
                raise
            return view_of_config(found)

    def all(self, by: By, which: Which = EVERY) -> Sequence[DomainView]:
        """See `ports.domains.Domains`."""
        config, found = self.settings.base.directory.domains, list[SendingDomain | DomainView]()
        if which.source is not Origin.API and which.state in {None, DomainState.ACTIVE}:
            found += [each for each in config.values() if _is_asked(each, by, which)]
        if which.source is not Origin.CONFIG:
            added = [each for each in self.settings.added.values() if each.name not in config]
            views = [self._view(each) for each in added if _is_asked(each, by, which)]
            found += [view for view in views if which.state in {None, view.state}]
        return Views(sorted(found, key=attrgetter("name")))

    async def records(self, view: DomainView) -> tuple[DnsRecord, ...]:
        """See `ports.domains.Domains`."""
        added = await self.shelf.get(view.name)
        config = self.settings.base.directory.domains.get(view.name)
        keys = config.dkim if config else added.dkim if added else ()
        first = (proof(added),) if added and not config else ()
        own = await asyncio.to_thread(records_of, view.name, keys)
        return (*first, *own, *beginnings(view.name))

    # What a change consists of.

    def _checked(self, name: str, tenant: str, wanted: DomainEdit, by: By) -> AddedDomain:
        base = self.settings.base
        if tenant not in base.directory.tenants:
            raise DomainRefused(Why.BAD, f"there is no tenant {tenant[:64]!r}", "tenant")
        made = AddedDomain(
            name=checked_name(name),
            tenant=tenant,
            routes=(),
            token=new_token(),
            created_at=self.clock.now(),
            created_by=by.actor,
            mark=_new_mark(),
        )
        check_allowed(wanted, by)
        domain = edited(made, wanted)
        check(base, domain, has_new_routes=True)
        if stands_elsewhere(base, domain):
            raise self._taken(domain.name, by)
        return domain

    def _taken(self, name: str, by: By) -> DomainRefused:
        found = self.settings.base.directory.domains.get(name)
        if found is not None and by.sees(found.tenant):
            return self._configured(name, found.tenant)
        return DomainRefused(Why.CONFLICT, f"{name} is there already")

    def _configured(self, name: str, tenant: str) -> DomainRefused:
        file = self.settings.base.path.name
        told = f"{name} is written in {file}, at tenants.{tenant}.domains: change it there"
        return DomainRefused(Why.CONFLICT, told)

    async def _new_keys(self, name: str) -> tuple[SealedKey, ...]:
        label = f"wr{secrets.token_hex(_LABEL_BYTES)}"
        try:
            async with self.making:  # a key takes a tenth of a second of a core
                return await asyncio.to_thread(new_sealed_keys, self.vault, name, label)
        except NoSealingKey as error:
            raise DomainRefused(Why.CONFLICT, f"no DKIM key can be kept: {error}") from error

    async def _held(self, name: str, by: By) -> AddedDomain:
        """The added domain called `name` that `by` may see. Raises DomainRefused."""
        own = normal(name)
        config = self.settings.base.directory.domains.get(own)
        if config is not None and by.sees(config.tenant):
            raise self._configured(own, config.tenant)
        found = await self.shelf.get(own)
        if config is not None or found is None or not by.sees(found.tenant):
            raise DomainRefused(Why.UNKNOWN, f"there is no domain {name[:300]!r}")
        return found

    async def _prove(self, action: str, domain: AddedDomain, how: str, by: By) -> DomainView:
        now = self.clock.now()

        def proven(held: AddedDomain) -> AddedDomain:
            if held.token != domain.token:  # removed and added again meanwhile
                raise _busy(held.name)
            return held if held.is_proven else replace(held, proven_at=now, proven_by=how)

        return await self._change(action, domain.name, proven, by)

    async def _change(
        self, action: str, name: str, changed: Callable[[AddedDomain], AddedDomain], by: By
    ) -> DomainView:
        for _ in range(TRIES):
            held = await self._held(name, by)
            wanted = changed(held)
            if wanted == held:
                return self._view(held)
            after = replace(wanted, mark=_new_mark())
            ahead = await self._ahead(action, held, self._view(held).fields(), by)
            if await self.shelf.put(after, instead=held.mark, most=0) is Kept.DONE:
                return await self._done(ahead, after)
            await was_not_done(self.audit, ahead)
        raise _busy(name)

    async def _ahead(
        self, action: str, domain: AddedDomain, before: dict[str, object], by: By
    ) -> AuditEntry:
        told = entry(
            self.clock.now(), by.actor, action, domain.tenant, domain.name,
            reason=by.reason, before=before,
        )  # fmt: skip
        return await written_ahead(self.audit, told)

    async def _done(self, ahead: AuditEntry, after: AddedDomain) -> DomainView:
        await self._settle()
        view = self._view(after)
        await was_done(self.audit, ahead, view.fields())
        return view

    async def _settle(self) -> None:
        await self.on_disk()
        await self.following.catch_up()

    def _view(self, domain: AddedDomain) -> DomainView:
        return view_of_added(domain, self.settings.flaws.get(domain.name, ""))


def _is_asked(domain: SendingDomain | AddedDomain, by: By, which: Which) -> bool:
    return by.sees(domain.tenant) and which.takes(domain.name, domain.tenant)


def _new_mark() -> str:
    return secrets.token_hex(8)


def _check_mark(held: AddedDomain, only: str | None) -> None:
    if only not in {None, held.mark}:
        told = f"{held.name} has been changed since it was read: read it again"
        raise DomainRefused(Why.CHANGED, told)


def _busy(name: str) -> DomainRefused:
    return DomainRefused(Why.CONFLICT, f"{name} is being changed by somebody else: try again")
