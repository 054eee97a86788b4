"""Who signs in to the pages: users and their sessions, as plain values.

How a password is checked and a session opened is `relay/admin/users.py`; where both are kept is
`store/shelves/users.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from relay.core.text import is_text

LEAST_PASSWORD: Final = 12
MOST_PASSWORD: Final = 1024
"""Characters of a password."""

NOT_TEXT: Final = "a password is text in UTF-8"

MOST_USER_NAME: Final = 64


class BadUser(ValueError):
    """A name or a password that no user can have; the text says why."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with a password. `tenant` is None for an operator, who sees all tenants.

    `secret` is the argon2id hash of the password. `mark` changes with it: sessions that hold
    another one are over.
    """

    name: str
    tenant: str | None
    secret: str = field(repr=False)
    mark: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that has signed in. `csrf` is in every form that the browser is shown."""

    user: str
    mark: str = field(repr=False)
    csrf: str = field(repr=False)
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever looks at a page."""

    name: str
    tenant: str | None
    csrf: str = field(repr=False)

    @property
    def is_operator(self) -> bool:
        """Whether all tenants are theirs to see."""
        return self.tenant is None

    @property
    def actor(self) -> str:
        """What the audit log calls them."""
        return f"user {self.name}"

    def sees(self, tenant: str) -> bool:
        """Whether what belongs to `tenant` exists for them."""
        return self.is_operator or self.tenant == tenant


def check_name(name: str) -> None:
    """Raise BadUser unless `name` can be typed, listed and logged without doubt."""
    if not 1 <= len(name) <= MOST_USER_NAME:
        raise BadUser(f"a name has 1 to {MOST_USER_NAME} characters")
    if not all(each.isascii() and (each.isalnum() or each in "._@+-") for each in name):
        raise BadUser("a name is made of letters, digits and . _ @ + -")


def check_password(password: str) -> None:
    """Raise BadUser for a password that is too easy to guess by its length, or absurd."""
    if len(password) < LEAST_PASSWORD:
        raise BadUser(f"a password has at least {LEAST_PASSWORD} characters")
    if len(password) > MOST_PASSWORD:
        raise BadUser(f"a password has at most {MOST_PASSWORD} characters")
    if not is_text(password):
        raise BadUser(NOT_TEXT)
