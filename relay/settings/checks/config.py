"""What spans several keys of relay.yaml: references, uniqueness, what needs what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from relay.settings.addresses import parse_address, parse_domain, parse_network
from relay.settings.checks.upstreams import check_upstreams
from relay.settings.findings import Findings
from relay.settings.matching import EACH, Unique, matches
from relay.settings.problems import Wrong, shown
from relay.settings.store_url import EMBEDDED
from relay.settings.yaml.document import Document, Path

T = TypeVar("T")
_TENANT = ("tenants", EACH)
_DOMAIN = (*_TENANT, "domains", EACH)


@dataclass(frozen=True, slots=True)
class _Checked:
    document: Document
    findings: Findings

    def each(self, *pattern: str | None) -> list[tuple[Path, Any]]:
        return list(matches(self.document.data, pattern))

    def unique(self, what: str) -> Unique:
        return Unique(what, self.document, self.findings)

    def wrong(self, path: Path, text: str, hint: str = "") -> None:
        self.findings.add(self.document.value_at(path), text, hint)


def check_config(document: Document, findings: Findings) -> None:
    """Add to `findings` what is wrong between keys; routes are `routes.py`."""
    checked = _Checked(document, findings)
    _listeners(checked)
    _store(checked)
    check_upstreams(document, findings)
    _usernames(checked)
    _networks(checked)
    check_domains(document, findings)


def check_domains(document: Document, findings: Findings) -> None:
    """The part of `check_config` that concerns the domains of tenants."""
    checked = _Checked(document, findings)
    _envelope_domains(checked, _domains(checked))
    _selectors(checked)


def _store(checked: _Checked) -> None:
    for path, store in checked.each("store"):
        if not isinstance(store, dict) or store.get("url", EMBEDDED) != EMBEDDED:
            continue
        if str(store.get("wait_replicas", 0)) != "0":
            text = "wait_replicas means nothing for the embedded store: it has no replicas"
            hint = "leave it out, or name a store by its URL"
            checked.wrong((*path, "wait_replicas"), text, hint)


def _parsed(parse: Callable[[str], T], value: Any) -> T | None:
    """None for what the schema complains about already."""
    try:
        return parse(value) if isinstance(value, str) else None
    except Wrong:
        return None


def _listeners(checked: _Checked) -> None:
    for path, listener in checked.each("listeners", EACH):
        tls = listener.get("tls") if isinstance(listener, dict) else None
        if isinstance(tls, str) and tls in {"starttls", "implicit"}:
            missing = [key for key in ("certificate", "key") if key not in listener]
            if missing:
                checked.wrong((*path, "tls"), f"tls: {tls} needs {' and '.join(missing)}")
    addresses = checked.unique("the address")
    for path, text in checked.each("listeners", EACH, "address") + checked.each("web", "address"):
        address = _parsed(parse_address, text)
        if address:
            addresses.see(str(address), path)


def _domains(checked: _Checked) -> dict[Any, Any]:
    """The tenant of each, the first where a domain stands twice."""
    domains = checked.unique("the domain")
    owners: dict[Any, Any] = {}
    for path, _ in checked.each(*_DOMAIN):
        domain = _parsed(parse_domain, path[-1])
        domains.see(domain or path[-1], path, is_key=True)
        owners.setdefault(domain, path[1])
    return owners


def _envelope_domains(checked: _Checked, owners: dict[Any, Any]) -> None:
    for path, text in checked.each(*_DOMAIN, "envelope_domains", EACH):
        domain = _parsed(parse_domain, text)
        if domain and owners.get(domain, path[1]) != path[1]:
            checked.wrong(
                path, f"{shown(domain)} is a domain of another tenant, {shown(owners[domain])}"
            )


def _usernames(checked: _Checked) -> None:
    usernames = checked.unique("the username")
    for path, username in checked.each(*_TENANT, "credentials", EACH, "username"):
        if isinstance(username, str):
            usernames.see(username, path)


def _networks(checked: _Checked) -> None:
    first: dict[Any, Path] = {}
    for path, text in checked.each(*_TENANT, "networks", EACH):
        network = _parsed(parse_network, text)
        owner = first.setdefault(network, path)
        if network and owner[1] != path[1]:
            line = checked.document.value_at(owner)[0]
            checked.wrong(
                path,
                f"the network {shown(str(network))} is that of tenant {shown(owner[1])} "
                f"in line {line} already",
            )


def _selectors(checked: _Checked) -> None:
    for path, keys in checked.each(*_DOMAIN, "dkim"):
        selectors = checked.unique("the selector")
        for inner, selector in matches(keys, (EACH, "selector"), path):
            if isinstance(selector, str):
                selectors.see(selector.lower(), inner)
