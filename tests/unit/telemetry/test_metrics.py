"""The quota gauges: each route, and each provider of it."""

from __future__ import annotations

import re
from dataclasses import replace

from relay.core.quota.reservation import Standing, Tally
from relay.core.tenants.tenancy import SendingDomain, Tenant, directory_of
from relay.telemetry.domains import MOST_NAMED, routes_told
from relay.telemetry.metrics import Metrics, RouteReading
from tests.contract.world import NOON, fresh_route, policy, share


def gauges(route, standing) -> dict[tuple[str, str], float]:
    """(gauge, provider) → value."""
    metrics = Metrics()
    window = route.policy.window.at(NOON)
    metrics.quota.readings = [RouteReading(route, window, replace(standing, at=NOON))]
    found = re.findall(r'relay_quota_(\w+){.*provider="(\w+)".*} (\S+)', metrics.text().decode())
    return {(name, provider): float(value) for name, provider, value in found}


def test_each_provider_has_its_own_gauges_beside_those_of_the_route():
    route = fresh_route(policy((0, 50), providers={"google": share(50), "default": share(10)}))
    providers = {"google": Tally(20, 15, 2), "other": Tally(4, 4)}
    told = gauges(route, Standing(charged=24, sent=19, unknown=2, providers=providers))
    assert told == {
        ("cap", "all"): 50, ("cap", "google"): 25, ("cap", "other"): 5,
        ("sent", "all"): 21, ("sent", "google"): 17, ("sent", "other"): 4,
        ("reserved", "all"): 3, ("reserved", "google"): 3, ("reserved", "other"): 0,
        ("remaining", "all"): 26, ("remaining", "google"): 5, ("remaining", "other"): 1,
    }  # fmt: skip


def test_a_provider_without_a_wall_of_its_own_is_not_told_of_twice():
    told = gauges(fresh_route(policy((0, 9))), Standing(3, providers={"google": Tally(3)}))
    assert {provider for _, provider in told} == {"all"}


def test_a_share_of_an_unlimited_cap_is_infinite():
    route = fresh_route(policy((0, None), providers={"google": share(50)}))
    told = gauges(route, Standing(3, providers={"google": Tally(3)}))
    assert told["cap", "google"] == told["remaining", "google"] == float("inf")


def test_no_more_than_a_thousand_domains_have_series_and_sums_stay_right():
    metrics = Metrics()
    for number in range(MOST_NAMED + 5):
        labels = metrics.named.labels(f"t{number}", f"d{number}.example")
        metrics.messages.labels(*labels, "forwarded").inc()

    text = metrics.text().decode()

    assert text.count("relay_messages_total{") == MOST_NAMED + 1
    assert 'relay_messages_total{domain="others",outcome="forwarded",tenant="others"} 5.0' in text
    assert metrics.named.labels("t0", "d0.example") == ("t0", "d0.example")


def directory(count):
    routes = [fresh_route(policy((0, 9))) for _ in range(count)]
    domains = [SendingDomain(route.id.domain, "acme", (route,)) for route in routes]
    return directory_of([Tenant("acme", domains=tuple(domains))])


def test_all_routes_of_a_small_config_have_gauges_and_of_a_large_one_the_named():
    small, large = directory(MOST_NAMED), directory(MOST_NAMED + 1)
    names = sorted(large.domains)[:2]

    assert len(routes_told(small, list)) == MOST_NAMED
    told = routes_told(large, lambda: [*names, "gone.example", "others"])
    assert [route.id.domain for route in told] == names
