"""Positions of what was read, as `core/sources.py` holds them for people who ask why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from relay.core.sources import Key, Place, PolicySources, Source
from relay.core.tenants.tenancy import RouteId
from relay.settings.addresses import parse_domain
from relay.settings.matching import EACH, matches
from relay.settings.problems import Wrong
from relay.settings.yaml.document import Document

Stages = tuple[tuple[int, Place], ...]


class RouteSources(Mapping[RouteId, Source]):
    """Where each route stands in a config without problems; looked for when first asked."""

    def __init__(self, document: Document) -> None:
        self._document = document

    @cached_property
    def _found(self) -> dict[RouteId, Source]:
        return _route_sources(self._document)

    def __getitem__(self, route: RouteId) -> Source:
        return self._found[route]

    def __iter__(self) -> Iterator[RouteId]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def _route_sources(document: Document) -> dict[RouteId, Source]:
    found = {}
    for path, data in matches(document.data, ("tenants", EACH, "domains", EACH, "routes", EACH)):
        name = _domain(str(path[3]))
        if isinstance(data, dict) and name:
            place = document.value_at(path)
            upstream = str(data.get("upstream"))
            found[RouteId(name, upstream)] = Source(document.file, *place)
    return found


def policy_sources(document: Document) -> PolicySources:
    """Where the keys of a policy stand that was read from `document`, without problems."""
    places = {path: document.key_at(path) for path in _paths(document.data)}
    stages = {"": _ramp_stages(document)}
    for path, _ in matches(document.data, ("providers", EACH)):
        stages[str(path[-1])] = _tier_stages(document, path) or ((0, document.key_at(path)),)
    return PolicySources(document.file, places, stages)


def provider_sources(document: Document) -> dict[tuple[str, str, str], Source]:
    """Where each claim of a data file of providers stands."""
    return {
        (document.file, str(path[1]), _claim(str(text))): Source(
            document.file, *document.value_at(path)
        )
        for key in ("domains", "mx")
        for path, text in matches(document.data, ("providers", EACH, key, EACH))
    }


def _paths(data: Any, at: Key = ()) -> Iterator[Key]:
    """Every key of every mapping; lists are left alone, save the tiers, which are stages."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield (*at, str(key))
            yield from _paths(value, (*at, str(key)))


def _ramp_stages(document: Document) -> Stages:
    ramp: Mapping[str, Any] = document.data["ramp"]
    for name in ("growth", "linear"):
        if name in ramp:
            formula = (0, document.key_at(("ramp", name)))
            after = (ramp[name]["days"], document.key_at(("ramp", name, "then")))
            return formula, after
    stages = _tier_stages(document, ("ramp",))
    if "then" not in ramp:
        return stages
    return (*stages, (stages[-1][0] + 1, document.key_at(("ramp", "then"))))


def _tier_stages(document: Document, path: Key) -> Stages:
    found = matches(document.data, (*map(str, path), "tiers", EACH))
    return tuple((tier["from"], document.value_at(at)) for at, tier in found)


def _domain(text: str) -> str | None:
    try:
        return parse_domain(text)
    except Wrong:
        return None


def _claim(text: str) -> str:
    suffix = text.startswith(".")
    return ("." if suffix else "") + (_domain(text.removeprefix(".")) or text)
