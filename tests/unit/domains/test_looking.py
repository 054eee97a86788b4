"""Pending domains are looked at by themselves: how often, how many, and what stops it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from relay.core.errors import StoreTrouble
from relay.core.tenants.added import AddedDomain, RouteWish
from relay.domains import looking
from relay.domains.looking import Looking, pause_s
from relay.ports.domains import DomainRefused, Why

NOW = datetime(2026, 3, 10, tzinfo=UTC)


class Clock:
    def now(self):
        return NOW


class Settings:
    def __init__(self, *domains: AddedDomain) -> None:
        self.added = {each.name: each for each in domains}


class Verifying:
    """Counts who is asked about; what is in `fails` is raised."""

    def __init__(self, **fails: Exception) -> None:
        self.asked: Counter[str] = Counter()
        self.fails = fails

    async def verify(self, name, by):
        self.asked[name] += 1
        if name in self.fails:
            raise self.fails[name]


def pending(name: str, age: timedelta = timedelta(0)) -> AddedDomain:
    wish = (RouteWish("outbound", "ramp"),)
    return AddedDomain(name, "acme", wish, "token", NOW - age, "a test")


def test_the_older_a_domain_the_rarer_it_is_looked_at():
    ages = [timedelta(0), timedelta(minutes=10), timedelta(hours=5), timedelta(days=20)]
    assert [pause_s(age) for age in ages] == [10.0, 60.0, 1800.0, 3600.0]


async def test_only_pending_domains_are_asked_about_and_not_again_at_once():
    proven = replace(pending("proven"), proven_at=NOW)
    old = pending("old", timedelta(days=31))
    domains = Verifying()
    watch = Looking(Settings(pending("new"), proven, old), domains, Clock())
    for _ in range(3):
        await watch.look()
    assert domains.asked == {"new": 1}


async def test_one_that_fails_keeps_none_of_the_others(monkeypatch):
    monkeypatch.setattr(looking, "FIRST_S", 0.0)
    refused = DomainRefused(Why.CONFLICT, "not there")
    domains = Verifying(a=refused, b=StoreTrouble())
    watch = Looking(Settings(*(pending(name) for name in "abc")), domains, Clock())
    await watch.look()
    await watch.look()
    assert domains.asked == {"a": 2, "b": 2, "c": 2}


async def test_a_round_is_bounded_and_all_have_their_turn():
    names = [f"d{n}" for n in range(2 * looking.MOST_IN_A_ROUND)]
    domains = Verifying()
    watch = Looking(Settings(*map(pending, names)), domains, Clock())
    await watch.look()
    assert domains.asked.total() == looking.MOST_IN_A_ROUND
    await watch.look()
    assert domains.asked == Counter(names)
