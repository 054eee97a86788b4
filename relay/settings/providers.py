"""The data file of mailbox providers: `providers.yaml` beside the policies, in layers.

The file that comes with the relay is the first layer; one in a directory of the config lies
over it. Keys, and what is refused; what the table means is `core/providers.py`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field

from relay.core.providers import OTHER, RESERVED, Provider, ProviderTable, layered
from relay.core.sources import Source
from relay.settings.addresses import parse_domain
from relay.settings.findings import Findings
from relay.settings.folders import PROVIDERS_FILE
from relay.settings.matching import EACH, Unique, matches
from relay.settings.origins import provider_sources
from relay.settings.policies import layers
from relay.settings.problems import Problem, Wrong, nearest, shown
from relay.settings.schema.fields import Domain, Kind, Section, Truth, parsed
from relay.settings.validation import validate
from relay.settings.yaml.document import Document
from relay.settings.yaml.files import read_yaml

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?\Z", re.ASCII)
_MOST: Final = 10_000


def _name(value: str) -> str:
    if value in RESERVED:
        raise Wrong(f"the provider name {shown(value)} is reserved", f"{OTHER} is all the rest")
    if not _NAME.match(value):
        raise Wrong(f"{shown(value)} is not a provider name: use up to 32 of a-z, 0-9 and '-'")
    return value


def parse_pattern(value: str) -> str:
    """An MX host name, or `.` and the end of one. Raises Wrong."""
    host = parse_domain(value.removeprefix("."))
    if "." not in host:
        raise Wrong(f"{shown(value)} is too wide", "name a host, or a suffix of two parts")
    return f".{host}" if value.startswith(".") else host


class ProviderSection(Section):
    """A mailbox provider."""

    description: Annotated[str, parsed(str), Kind("text")] = Field("", description="Who it is.")
    source: Annotated[str, parsed(str), Kind("text")] = Field(
        "", description="Where the names come from, and when."
    )
    domains: list[Domain] = Field(
        default_factory=list, max_length=_MOST, description="Recipient domains, exactly."
    )
    mx: list[Annotated[str, parsed(parse_pattern), Kind("host name or .suffix")]] = Field(
        default_factory=list,
        max_length=_MOST,
        description="MX hosts; with a dot at the front, every host below it.",
    )
    extend: Truth = Field(
        default=False,
        description="true: adds to what the layers below say of this provider; false: replaces it.",
    )


ProviderName = Annotated[str, parsed(_name), Kind("name")]


class ProvidersSection(Section):
    """A data file of providers."""

    providers: dict[ProviderName, ProviderSection] = Field(
        max_length=_MOST, description="The providers by name."
    )


@dataclass(slots=True)
class ProviderShelf:
    """The table of some directories, and what was read for it."""

    table: ProviderTable = field(default_factory=ProviderTable)
    sources: dict[tuple[str, str, str], Source] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read_providers(directories: Sequence[Path]) -> ProviderShelf:
    """The shipped providers with those of `directories` (that exist) laid over them."""
    shelf = ProviderShelf()
    read: list[list[Provider]] = []
    for directory in layers(directories):
        path = directory / PROVIDERS_FILE
        if _exists(path):
            below = {provider.name for layer in read for provider in layer}
            providers, document, problems = read_provider_file(path, below)
            read.append(providers)
            shelf.sources |= provider_sources(document) if document and providers else {}
            shelf.files.append(path)
            shelf.problems.extend(problems)
    shelf.table = layered(read)
    return shelf


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # may not be looked into: the policies tell of that
        return False


def read_provider_file(
    path: Path, below: Collection[str] = ()
) -> tuple[list[Provider], Document | None, list[Problem]]:
    """The providers in the file `path`, none where there are problems. Never raises.

    `below` are the names of the layers under it. The document is None where it cannot be read.
    """
    findings = Findings(str(path))
    document = read_yaml(path, findings)
    section = validate(ProvidersSection, document, findings) if document else None
    if document:
        _check(document, findings, below)
    problems = findings.in_order()
    if section is None or problems:
        return [], document, problems
    found = [_provider(path, name, each) for name, each in section.providers.items()]
    return found, document, []


def _provider(path: Path, name: str, section: ProviderSection) -> Provider:
    return Provider(
        name=name,
        description=section.description,
        source=section.source,
        domains=tuple(section.domains),
        mx=tuple(section.mx),
        extends=section.extend,
        path=str(path),
    )


def _check(document: Document, findings: Findings, below: Collection[str]) -> None:
    _unique(document, findings, "domains", "the domain", parse_domain)
    _unique(document, findings, "mx", "the pattern", parse_pattern)
    for path, section in matches(document.data, ("providers", EACH)):
        if not isinstance(section, dict):
            continue
        name = str(path[-1])
        if not section.get("domains") and not section.get("mx"):
            findings.add(document.key_at(path), f"{shown(name)} has neither domains nor mx")
        if section.get("extend") is True and name not in below:
            at = document.key_at((*path, "extend"))
            findings.add(at, f"there is no {shown(name)} below to extend", nearest(name, below))


def _unique(document: Document, findings: Findings, key: str, what: str, parse: Any) -> None:
    """Nothing stands twice in a file, not even under one provider."""
    seen = Unique(what, document, findings)
    for path, text in matches(document.data, ("providers", EACH, key, EACH)):
        if isinstance(text, str) and (name := _parsed(parse, text)):
            seen.see(name, path)


def _parsed(parse: Any, text: str) -> str | None:
    try:
        return str(parse(text))
    except Wrong:
        return None  # the schema tells of it
