"""The keys of added domains, sealed anew where the secret of the relays has become another one.

A domain changes whole, in one step, with the mark that it had: what somebody else does to it
meanwhile is kept, and who is stopped half-way goes on by beginning again. Relays that run take
each domain over as they do any change, and open it with the secret that is in their file now.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from relay.admin.recording import entry, was_done, was_not_done, written_ahead
from relay.core.tenants.added import AddedDomain
from relay.core.tenants.audit import AuditEntry
from relay.ports import Clock
from relay.ports.domains import By, DomainShelf, Kept, Unreadable
from relay.ports.web import AuditLog
from relay.signing.sealed import resealed
from relay.signing.sealing import CannotOpen, Vault

TRIES = 3
AT_ONCE = 200


@dataclass(slots=True)
class Outcome:
    """How many domains were sealed anew, how many were so already, and what is wrong by name."""

    changed: int = 0
    current: int = 0
    wrong: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resealing:
    """From the secret of `old` to that of `new`."""

    shelf: DomainShelf
    audit: AuditLog
    clock: Clock
    old: Vault
    new: Vault

    async def run(self, by: By) -> Outcome:
        """Seal every key anew that is not yet. Raises NoSealingKey (nothing done), StoreTrouble.

        After StoreTrouble some may be done, and the entry in the audit log is open: run it again.
        """
        ahead = await self._ahead(by)
        found = Outcome()
        names = sorted(await self.shelf.marks())
        for at in range(0, len(names), AT_ONCE):
            await self._some(names[at : at + AT_ONCE], found)
        if not found.changed:
            await was_not_done(self.audit, ahead)
            return found
        after = {"secret": self.new.name, "domains": found.changed, "wrong": len(found.wrong)}
        await was_done(self.audit, ahead, after)
        return found

    async def _ahead(self, by: By) -> AuditEntry:
        before = {"secret": self.old.name}
        told = entry(
            self.clock.now(), by.actor, "reseal domains", "", f"secret {self.new.name}",
            reason=by.reason, before=before,
        )  # fmt: skip
        return await written_ahead(self.audit, told)

    async def _some(self, names: Sequence[str], found: Outcome) -> None:
        for name, held in (await self.shelf.some(names)).items():
            if isinstance(held, Unreadable):
                found.wrong[name] = held.why
                continue
            try:
                await self._one(held, found)
            except CannotOpen as error:
                found.wrong[name] = str(error)

    async def _one(self, domain: AddedDomain, found: Outcome) -> None:
        held: AddedDomain | None = domain
        for _ in range(TRIES):
            if held is None:  # removed meanwhile
                return
            dkim = tuple(resealed(self.old, self.new, held.name, key) for key in held.dkim)
            if dkim == held.dkim:
                found.current += 1
                return
            after = replace(held, dkim=dkim, mark=secrets.token_hex(8))
            if await self.shelf.put(after, instead=held.mark, most=0) is Kept.DONE:
                found.changed += 1
                return
            held = await self.shelf.get(held.name)
        found.wrong[domain.name] = "it is being changed by somebody else: try again"
