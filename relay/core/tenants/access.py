"""Who asks over HTTP, and what it may do: tokens and their scopes (DESIGN §7).

Plain values. How a token is made, hashed and found is `relay/admin/access.py`; where it is kept is
`store/shelves/tokens.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

MOST_TOKEN_NAME: Final = 80
"""Characters of a token's name."""


class Scope(StrEnum):
    """What a token allows. All but `operator` are within the token's own tenant.

    `manage` includes `read`; `operator` is `manage` for every tenant. Nobody but a token with
    `send` sends, for mail is always some tenant's.
    """

    READ = "read"
    SEND = "send"
    MANAGE = "manage"
    OPERATOR = "operator"


_INCLUDED_IN = {
    Scope.READ: frozenset({Scope.READ, Scope.MANAGE, Scope.OPERATOR}),
    Scope.SEND: frozenset({Scope.SEND}),
    Scope.MANAGE: frozenset({Scope.MANAGE, Scope.OPERATOR}),
    Scope.OPERATOR: frozenset({Scope.OPERATOR}),
}


class BadGrant(ValueError):
    """Scopes and tenant that do not go together; the text says why."""


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token as it is kept. `secret` is the keyed hash of its secret part.

    `tenant` is None for an operator's. `last_used_at` is coarse: good to some minutes.
    """

    id: str
    tenant: str | None
    scopes: frozenset[Scope]
    secret: str = field(repr=False)
    created_at: datetime
    name: str = ""
    expires_at: datetime | None = None
    last_used_at: datetime | None = None

    @property
    def is_operator(self) -> bool:
        """Whether it is for all tenants."""
        return Scope.OPERATOR in self.scopes

    @property
    def actor(self) -> str:
        """What the audit log calls its bearer."""
        return f"token {self.name} ({self.id})" if self.name else f"token {self.id}"

    def may(self, scope: Scope) -> bool:
        """Whether it has `scope`, or one that includes it."""
        return not self.scopes.isdisjoint(_INCLUDED_IN[scope])

    def sees(self, tenant: str) -> bool:
        """Whether what belongs to `tenant` exists for its bearer."""
        return self.is_operator or self.tenant == tenant

    def is_live(self, now: datetime) -> bool:
        """Whether it has not expired."""
        return self.expires_at is None or now < self.expires_at


def check_token_name(name: str) -> None:
    """Raise BadGrant unless `name` can be listed and logged without doubt."""
    if len(name) > MOST_TOKEN_NAME or not name.isprintable():
        raise BadGrant(f"a name is at most {MOST_TOKEN_NAME} printable characters")


def check_grant(tenant: str | None, scopes: frozenset[Scope]) -> None:
    """Raise BadGrant unless a token of `tenant` (None: of no tenant) may have `scopes`."""
    if not scopes:
        raise BadGrant(f"name at least one scope: {', '.join(Scope)}")
    if Scope.OPERATOR in scopes and (tenant is not None or len(scopes) > 1):
        raise BadGrant("operator stands alone: it is for every tenant, and it does not send")
    if Scope.OPERATOR not in scopes and tenant is None:
        raise BadGrant("name the tenant that the token is for, or the scope operator")
