from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from relay.core.mail.classify import classify
from relay.core.mail.message import Classified
from relay.core.tenants.tenancy import DkimKey, Tenant, directory_of
from relay.signing.generate import KeyKind, generate_key
from relay.signing.record import key_record
from tests.corpus import DOMAIN
from tests.corpus.submissions import sending_domain, submission


class FixedClock:
    """It is always 2026-03-03 09:30:00.75 UTC, which a test may change."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 3, 9, 30, 0, 750_000, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


@dataclass(frozen=True)
class Published:
    """Key files, and what is in the DNS for them: name → TXT text."""

    rsa: DkimKey
    ed25519: DkimKey
    records: dict[str, str]

    def dns(self, name: bytes, timeout: int = 5) -> bytes:
        return self.records[name.decode()].encode()


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    home: Path = tmp_path_factory.mktemp("keys")
    rsa, ed = DkimKey("r1", home / "rsa.pem"), DkimKey("e1.2026", home / "ed25519.pem")
    generate_key(rsa.path, KeyKind.RSA)
    generate_key(ed.path, KeyKind.ED25519)
    records = [key_record(DOMAIN, key.selector, key.path) for key in (rsa, ed)]
    return Published(rsa, ed, {record.name: record.value for record in records})


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture(scope="session")
def classified() -> Callable[..., Classified]:
    """The classified form of a message whose domain signs with `keys`."""

    def make(content: bytes, *keys: DkimKey) -> Classified:
        tenant = Tenant("acme", domains=(sending_domain(DOMAIN, dkim=keys),))
        return classify(submission(content, tenant=tenant), directory_of([tenant]))

    return make
