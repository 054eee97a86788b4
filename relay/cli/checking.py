"""`check`: what is wrong with a config beyond its text. Offline looks at files, online asks.

A finding is never an exception: everything is looked at, and everything found is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from relay.cli.finding import MOST_TOLD, Finding, fine, note, problem
from relay.cli.published import published_keys
from relay.cli.tools import added_in, open_tools
from relay.core.config import Config, Listener
from relay.core.errors import StoreTrouble
from relay.core.policy.policy import Excess
from relay.core.reply import Reply
from relay.core.tenants.added import AddedDomain, joined
from relay.core.tenants.tenancy import DkimKey, SendingDomain
from relay.domains.wishes import offer_of
from relay.edge.tls import server_context
from relay.ports.domains import Unreadable
from relay.processes.presence import presence_in
from relay.signing.keys import UnusableKey, read_key, try_key
from relay.signing.sealed import opened
from relay.signing.sealing import CannotOpen, NoSealingKey, Vault
from relay.store import StoreUnusable, calls
from relay.store.weaknesses import Weakness, weaknesses_of
from relay.upstream.build import open_upstream

EXPIRES_SOON_DAYS: Final = 14
ONLINE_S: Final = 20.0


def check_offline(config: Config) -> list[Finding]:
    """The config's own sense, DKIM keys, certificates and the secret for keys in the store."""
    directory = config.directory
    counted = f"domains: {len(directory.domains)}, tenants: {len(directory.tenants)}"
    policies = sorted({route.policy.name for route in directory.routes()})
    found = [
        fine("config", f"{config.path}: {counted}"),
        fine("policies", ", ".join(policies) or "none in use"),
    ]
    found += _domains(config)
    for listener in config.listeners:
        found += _certificate(listener)
    return found + _sealing_key(config)


def _sealing_key(config: Config) -> list[Finding]:
    path = config.secrets.key_file
    if path is None:
        return []
    try:
        Vault(path, makes=False).seal(b"", "")
    except NoSealingKey as error:
        return [problem("secrets.key_file", str(error))]
    return [fine("secrets.key_file", str(path))]


def _domains(config: Config) -> list[Finding]:
    domains = config.directory.domains.values()
    is_many = len(domains) > MOST_TOLD
    found: list[Finding] = []
    for domain in domains:
        told = _keys(domain, config, is_many=is_many) + _last_route(domain)
        found += [one for one in told if not (is_many and one.is_fine)]
    if is_many:
        found.append(fine("domains", f"{len(domains)} looked at; {len(found)} things to mend"))
    return found


def _keys(domain: SendingDomain, config: Config, *, is_many: bool) -> list[Finding]:
    if not domain.dkim:
        return [problem(f"dkim {domain.name}", "no key: mail leaves unsigned")]
    return [
        _key(f"dkim {domain.name} {entry.selector}", entry.path, config.data_dir, is_many=is_many)
        for entry in domain.dkim
        if isinstance(entry, DkimKey)
    ]


def _last_route(domain: SendingDomain) -> list[Finding]:
    """A policy may be another domain's too, so this is no fault; but nothing overflows here."""
    policy = domain.routes[-1].policy
    if policy.excess is not Excess.OVERFLOW:
        return []
    says = f"{policy.name} overflows, and no route comes after it: excess is deferred"
    return [note(f"routes {domain.name}", says)]


def _key(part: str, path: Path, data_dir: Path, *, is_many: bool) -> Finding:
    try:
        if path.is_relative_to(data_dir) and not path.exists():
            return _missing_key(part, path, data_dir)
        key = try_key(path) if is_many else read_key(path)
    except (OSError, ValueError) as error:
        return problem(part, str(error))
    return fine(part, f"{path} ({key.algorithm.decode()})")


def _missing_key(part: str, path: Path, data_dir: Path) -> Finding:
    if presence_in(data_dir):
        says = "mail is deferred until it does, or until the next start makes it"
        return problem(part, f"{path} does not exist: {says}")
    return note(part, f"{path} does not exist yet; serve will make it")


def _certificate(listener: Listener) -> list[Finding]:
    if listener.certificate is None or listener.key is None:
        return []
    part = f"certificate {listener.name}"
    try:
        server_context(listener.certificate, listener.key)
        [leaf, *_] = x509.load_pem_x509_certificates(listener.certificate.read_bytes())
    except (OSError, ValueError) as error:
        return [problem(part, f"{listener.certificate}: {error}")]
    left = leaf.not_valid_after_utc - datetime.now(UTC)
    if left.total_seconds() <= 0:
        return [problem(part, f"expired on {leaf.not_valid_after_utc:%Y-%m-%d}")]
    told = fine if left.days >= EXPIRES_SOON_DAYS else problem
    return [told(part, f"valid until {leaf.not_valid_after_utc:%Y-%m-%d}")]


async def check_online(config: Config) -> list[Finding]:
    """The store, every upstream and the DNS, asked within a bounded time."""
    upstreams = asyncio.gather(*(_upstream(config, name) for name in config.upstreams))
    told = await asyncio.gather(_store(config), upstreams, published_keys(config))
    return [replace(finding, is_online=True) for findings in told for finding in findings]


async def _store(config: Config) -> list[Finding]:
    kind = "embedded" if config.store.url is None else "external"
    try:
        async with asyncio.timeout(ONLINE_S), open_tools(config) as tools:
            now = tools.clock.now()
            routes = [(r, r.policy.window.at(now)) for r in config.directory.routes()]
            await tools.store.standings(routes)
            added = await added_in(tools.line)
            await tools.line.ask(calls.ping())
            await tools.on_disk()
            weak = [] if config.store.url is None else await weaknesses_of(tools.line)
    except (StoreTrouble, StoreUnusable, OSError, TimeoutError) as error:
        return [problem("store", f"{kind}: {error.__cause__ or error or 'no answer'}")]
    return [fine("store", f"{kind}: answers"), *map(_weakness, weak), *_added(config, added)]


def _weakness(weakness: Weakness) -> Finding:
    told = problem if weakness.is_grave else note
    return told(f"store {weakness.what}", weakness.says)


def _added(config: Config, added: Mapping[str, AddedDomain | Unreadable]) -> list[Finding]:
    """How many domains were added while relays ran, and those that cannot send by this config."""
    known = [each for each in added.values() if isinstance(each, AddedDomain)]
    flaws = dict(joined(config.directory, known, offer_of(config)).flaws)
    flaws |= {name: each.why for name, each in added.items() if isinstance(each, Unreadable)}
    flaws |= _locked(config, known)
    for name in flaws.keys() & config.directory.domains.keys():
        del flaws[name]  # the file names it too, and wins: nothing is to be mended
    waiting = sum(not each.is_proven for each in known)
    says = f"{len(added)}, of which {waiting} are not verified yet" if added else "none"
    told = [fine("added domains", says)]
    told += [problem(f"added domain {name}", flaws[name]) for name in sorted(flaws)[:MOST_TOLD]]
    if len(flaws) > MOST_TOLD:
        told.append(problem("added domains", f"{len(flaws) - MOST_TOLD} more are broken"))
    return told


def _locked(config: Config, known: Iterable[AddedDomain]) -> dict[str, str]:
    """Those of `known` with a key that cannot be opened here, and why: their mail is deferred."""
    vault = Vault(config.sealing_file, makes=False)
    found: dict[str, str] = {}
    for domain in known:
        for key in domain.dkim:
            try:
                opened(vault, domain.name, key)
            except (CannotOpen, NoSealingKey, UnusableKey) as error:
                found[domain.name] = f"dkim {key.selector}: {error}"
    return found


class _Nobody:
    """An upstream observer that counts nothing."""

    def reply(self, upstream: str, answer: Reply) -> None:
        """See `upstream.Observer`."""


async def _upstream(config: Config, name: str) -> Finding:
    part = f"upstream {name}"
    try:
        upstream = open_upstream(config.upstreams[name], config.hostname, _Nobody())
        async with asyncio.timeout(ONLINE_S):
            wrong = await upstream.probe()
            await upstream.close()
    except (OSError, TimeoutError) as error:
        return problem(part, str(error) or "no answer")
    return problem(part, wrong) if wrong else fine(part, "answers")
