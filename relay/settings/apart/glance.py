"""A config read by a command, which ends again: of a large one what `serve` has kept is taken.

Nothing is kept here: a command may be another user's than the relay is. Where nothing was kept,
the pieces are read one by one, which still takes less than the whole file at once. Without
`config.sources`, which pieces do not tell: who asks where something was written reads with
`load.py`.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from relay.core.config import Config
from relay.core.tenants.tenancy import Directory, SendingDomain, Tenant, directory_of
from relay.settings.apart.frames import Head, domains_of, policies_by_name
from relay.settings.apart.reader import ApartReader
from relay.settings.large.wholesale import frames_in_pieces
from relay.settings.load import load_config
from relay.thrift.collector import collector_at_rest


def glance(path: Path, env: Mapping[str, str]) -> Config:
    """The config in `path`. Raises ConfigProblems, as `load_config`."""
    frames = frames_in_pieces(path, env, keeps=False)
    return load_config(path, env) if frames is None else ApartReader().take(iter(frames)).config


def glance_at(path: Path, env: Mapping[str, str], name: str) -> Config:
    """As `glance`; of a large config which has the domain `name`, that one and some others.

    Of one that has not it is the whole. All of it is checked.
    """
    frames = frames_in_pieces(path, env, keeps=False)
    if frames is None:
        return load_config(path, env)
    told = json.dumps(name).encode()
    with collector_at_rest():
        found = _part(frames[0], [frame for frame in frames[1:] if told in frame])
    if name in found.directory.domains:
        return found
    return ApartReader().take(iter(frames)).config


def _part(first: bytes, frames: list[bytes]) -> Config:
    head: Head = pickle.loads(first)  # noqa: S301 - our own, made a moment ago  # nosec B301
    policies = policies_by_name(head)
    domains = [domain for frame in frames for domain in domains_of(frame, policies)]
    return replace(head.config, directory=_directory(head, domains))


def _directory(head: Head, domains: list[SendingDomain]) -> Directory:
    def whole(tenant: Tenant) -> Tenant:
        return replace(tenant, domains=tuple(d for d in domains if d.tenant == tenant.name))

    return directory_of([whole(tenant) for tenant, _ in head.tenants])
