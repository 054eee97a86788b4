"""What is wrong between the routes of a domain: references, and routes that nothing reaches."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from relay.core.policy.policy import EXEMPT, Excess, Policy
from relay.settings.findings import Findings
from relay.settings.matching import EACH, Unique, matches
from relay.settings.problems import known, nearest, shown
from relay.settings.yaml.document import Document, Path

_ROUTES = ("tenants", EACH, "domains", EACH, "routes")


def check_routes(
    document: Document,
    findings: Findings,
    names: Collection[str],
    policies: Mapping[str, Policy],
) -> None:
    """Add to `findings` what is wrong with routes.

    `names` are the policies that exist, `policies` those of them that could be read.
    """
    steps = [path[-1] for path, _ in matches(document.data, ("upstreams", EACH))]
    upstreams = {step for step in steps if isinstance(step, str)}
    named = {*names, EXEMPT.name}
    for path, route in matches(document.data, (*_ROUTES, EACH)):
        if isinstance(route, dict):
            _reference(document, findings, (*path, "upstream"), route, upstreams)
            _reference(document, findings, (*path, "policy"), route, named)
    readable = {**policies, EXEMPT.name: EXEMPT}
    for path, routes in matches(document.data, _ROUTES):
        if isinstance(routes, list) and len(routes) > 1:
            _differ(document, findings, path, routes)
            _reached(document, findings, path, routes, readable)


def _reference(
    document: Document, findings: Findings, path: Path, route: dict[str, Any], names: set[str]
) -> None:
    name = route.get(str(path[-1]))
    if isinstance(name, str) and name not in names:
        hint = nearest(name, names) or (known(names) if names else "there is none")
        findings.add(document.value_at(path), f"unknown {path[-1]} {shown(name)}", hint)


def _differ(document: Document, findings: Findings, path: Path, routes: list[Any]) -> None:
    """A route is domain and upstream: two over one upstream would be one, counted twice."""
    upstreams = Unique("the upstream", document, findings)
    for inner, name in matches(routes, (EACH, "upstream"), path):
        if isinstance(name, str):
            upstreams.see(name, inner)


def _reached(
    document: Document,
    findings: Findings,
    path: Path,
    routes: list[Any],
    policies: Mapping[str, Policy],
) -> None:
    for at, route in enumerate(routes[:-1]):
        policy = policies.get(str(route.get("policy"))) if isinstance(route, dict) else None
        if policy is not None and policy.excess is not Excess.OVERFLOW:
            text = f"no mail ever comes to this route: {shown(policy.name)} before it does not "
            findings.add(document.value_at((*path, at + 1)), f"{text}overflow", _hint(policy))
            return


def _hint(policy: Policy) -> str:
    if policy is EXEMPT:
        return "put the exempt route last"
    return "say excess: overflow in that policy, or remove this route"
