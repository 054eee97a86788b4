"""One piece of the domains of tenants: read, checked by the schema, and made into a frame.

By the very code that reads whole files, on a document that holds nothing else. What is wrong is
not told here: `Irregular`, and somebody reads the whole file for its places. What spans pieces is
checked by who puts them together (`wholesale.py`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NoReturn

from pydantic import ValidationError

from relay.core.policy.policy import Policy
from relay.settings.apart.frames import Row
from relay.settings.build import absolute_text
from relay.settings.checks.config import check_domains
from relay.settings.checks.routes import check_routes
from relay.settings.findings import Findings
from relay.settings.schema.tenant import TenantSection
from relay.settings.yaml.brackets import Irregular
from relay.settings.yaml.document import Document
from relay.settings.yaml.files import first_unprintable
from relay.settings.yaml.regular import read_regular

MARK_BYTES: Final = 16

Parts = Sequence[tuple[str, str]]
"""Names of tenants, each with the text of some of its domains."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a piece means beside its own text: the rest of the config, as far as it matters."""

    base: Path
    upstreams: Collection[str]
    policies: Mapping[str, Policy]

    def mark(self, code: bytes) -> bytes:
        """Another one where the same text may mean something else; `code` is who reads it."""
        policies = sorted((name, str(policy.excess)) for name, policy in self.policies.items())
        told = json.dumps([str(self.base), sorted(self.upstreams), policies])
        return blake2b(told.encode(), key=code[:64], digest_size=MARK_BYTES).digest()


def is_lasting(parts: Parts) -> bool:
    """Whether they mean the same in every environment."""
    return not any("${" in text for _, text in parts)


def mark_of(surroundings: bytes, parts: Parts) -> bytes:
    """By which a piece is known again."""
    told = json.dumps(parts, ensure_ascii=False).encode()
    return blake2b(told, key=surroundings, digest_size=MARK_BYTES).digest()


def frame_of(parts: Parts, around: Surroundings, env: Mapping[str, str]) -> bytes:
    """The domains in `parts` as `apart/frames.py` writes them. Raises Irregular."""
    text = "".join(f"{number}:\n{domains}\n" for number, (_, domains) in enumerate(parts))
    read = None if first_unprintable(text) else read_regular(text, env)
    if read is None or len(read[0]) != len(parts):
        raise Irregular
    data = {name: {"domains": read[0][str(at)]} for at, (name, _) in enumerate(parts)}
    return json.dumps(list(_rows(around.base, _checked(data, around)))).encode()


def _checked(tenants: dict[str, Any], around: Surroundings) -> dict[str, TenantSection]:
    data = {"upstreams": dict.fromkeys(around.upstreams), "tenants": tenants}
    document, findings = Document("", data, is_wrong), Findings("")
    check_domains(document, findings)
    check_routes(document, findings, around.policies, around.policies)
    try:
        return {name: TenantSection.model_validate(each) for name, each in tenants.items()}
    except ValidationError:
        raise Irregular from None


def is_wrong() -> NoReturn:
    """In place of the places of a document, for which only that asks which has found a fault."""
    raise Irregular


def _rows(base: Path, tenants: Mapping[str, TenantSection]) -> Iterator[Row]:
    for tenant, section in tenants.items():
        for name, domain in section.domains.items():
            yield (
                name,
                tenant,
                sorted(set(domain.envelope_domains)),
                [(key.selector, absolute_text(base, key.key)) for key in domain.dkim],
                [(route.upstream, route.policy) for route in domain.routes],
            )
