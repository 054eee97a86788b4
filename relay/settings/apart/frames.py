"""A config that one process has read as bytes for another: a head, then domains by the hundred.

The same config gives the same bytes, so who has read them before need not read them again.
Both ends are this version of the relay; the bytes are for a pipe, never for a file.
"""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Final
from zlib import crc32

from relay.core.config import Config
from relay.core.policy.policy import EXEMPT, Policy
from relay.core.sources import Sources
from relay.core.tenants.tenancy import Directory, DkimKey, Route, RouteId, SendingDomain, Tenant
from relay.settings.findings import Position
from relay.settings.loaded import Loaded
from relay.settings.prints import Print

MOST_EACH: Final = 400
"""Domains in one frame; they are made in about 4 ms."""
_ONE_IN: Final = 100
_LENGTH_BYTES: Final = 8

Size = tuple[Tenant, int]
"""A tenant without its domains, and how many they are."""


@dataclass(frozen=True, slots=True)
class Head:
    """What comes before the domains. `config` has an empty directory and no sources."""

    config: Config
    places: Mapping[str, Position]
    tenants: tuple[Size, ...]
    policies: tuple[Policy, ...]
    seen: Print


Row = tuple[str, str, list[str], list[tuple[str, str]], list[tuple[str, str]]]
"""A domain: name, tenant, envelope domains, selectors with paths, upstreams with policies."""


def _row(domain: SendingDomain) -> Row:
    return (
        domain.name,
        domain.tenant,
        sorted(domain.envelope_domains),
        [(key.selector, str(key.path)) for key in domain.dkim if isinstance(key, DkimKey)],
        [(route.id.upstream, route.policy.name) for route in domain.routes],
    )


def _domain(row: Row, policies: Mapping[str, Policy]) -> SendingDomain:
    name, tenant, envelope_domains, keys, routes = row
    return SendingDomain(
        name=name,
        tenant=sys.intern(tenant),
        routes=tuple(
            Route(RouteId(name, sys.intern(upstream)), policies[policy], place)
            for place, (upstream, policy) in enumerate(routes)
        ),
        envelope_domains=frozenset(envelope_domains),
        dkim=tuple(DkimKey(sys.intern(selector), Path(path)) for selector, path in keys),
    )


def begins_another(name: str, count: int) -> bool:
    """Whether the domain `name` begins another frame than that of the `count` before it.

    By its name, so that one domain more or less does not change the frames of all after it.
    """
    return bool(count) and (count >= MOST_EACH or not crc32(name.encode()) % _ONE_IN)


def as_frames(loaded: Loaded) -> Iterator[bytes]:
    """The head, then the domains of all tenants in order."""
    config = loaded.config
    tenants = tuple((replace(t, domains=()), len(t.domains)) for t in _tenants(config))
    policies = {route.policy.name: route.policy for route in config.directory.routes()}
    bare = replace(config, directory=Directory(), sources=Sources())
    yield pickle.dumps(Head(bare, loaded.places, tenants, tuple(policies.values()), loaded.seen))
    domains = [domain for tenant in _tenants(config) for domain in tenant.domains]
    rows: list[Row] = []
    for domain in domains:
        if begins_another(domain.name, len(rows)):
            yield json.dumps(rows).encode()
            rows = []
        rows.append(_row(domain))
    if rows:
        yield json.dumps(rows).encode()


def _tenants(config: Config) -> list[Tenant]:
    return list(config.directory.tenants.values())


def policies_by_name(head: Head) -> dict[str, Policy]:
    """Those that its domains refer to. The built-in one stays the very same object."""
    return {policy.name: policy for policy in head.policies} | {EXEMPT.name: EXEMPT}


def domains_of(frame: bytes, policies: Mapping[str, Policy]) -> tuple[SendingDomain, ...]:
    """What `as_frames` wrote."""
    return tuple(_domain(row, policies) for row in json.loads(frame))


def write_frame(out: IO[bytes], frame: bytes) -> None:
    """`frame`, behind its length."""
    out.write(len(frame).to_bytes(_LENGTH_BYTES, "big"))
    out.write(frame)


def read_frame(stream: IO[bytes]) -> bytes | None:
    """The next one; None at the end. Raises EOFError in the midst of one."""
    length = stream.read(_LENGTH_BYTES)
    if not length:
        return None
    wanted = int.from_bytes(length, "big")
    frame = stream.read(wanted)
    if len(length) < _LENGTH_BYTES or len(frame) < wanted:
        raise EOFError
    return frame
