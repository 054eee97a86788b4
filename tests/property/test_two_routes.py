"""Two routes of one domain, the model and the real store driven together: neither cap is passed.

Messages walk the routes as `reserving.py` has it. An independent ledger for each route must find
rule 1 kept after every grant, and a list of each campaign's grants that none of them was split.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from relay.core.config import StoreConfig
from relay.core.quota.campaign import Campaign
from relay.core.quota.reservation import Demand, Elsewhere, Granted, Reservation, Verdict, Walled
from relay.core.tenants.tenancy import Route, RouteId
from relay.store import open_store
from relay.store.memory import MemoryStore
from tests.contract.server import bare_server
from tests.contract.world import HandClock, fresh_route
from tests.property.quota_ledger import Ledger
from tests.property.test_quota_machine import (
    classes,
    policies,
    sane,
    splits,
    starting_points,
    verdicts,
)

KEEP_S = 36 * 3600
_reservations = count()


@dataclass
class Grant:
    """One charge of a campaign. `stands` until it is given back."""

    id: str
    upstream: str
    at: datetime
    stands: bool = True


class TwoRoutes(RuleBasedStateMachine):
    """One domain, two stores, one clock, a ledger for each route."""

    runner: asyncio.Runner
    clock: HandClock
    real: object

    reservations = Bundle("reservations")

    @initialize(start=starting_points, first=policies, second=policies)
    def begin(self, start, first, second):
        self.clock.set(start)
        self.model = MemoryStore(self.clock)
        one = fresh_route(sane(first))
        self.routes = [one, Route(RouteId(one.id.domain, "second"), sane(second), 1)]
        self.ledgers = {route.id: Ledger() for route in self.routes}
        self.campaigns: dict[str, list[Grant]] = defaultdict(list)

    def both(self, verb, *arguments):
        """The one answer of both stores."""
        expected = asyncio.run(getattr(self.model, verb)(*arguments))
        answer = self.runner.run(getattr(self.real, verb)(*arguments))
        assert answer == expected
        return answer

    @rule(
        target=reservations,
        split=splits,
        mail_class=classes,
        name=st.sampled_from([None, "c1", "c2"]),
        is_reversed=st.booleans(),
    )
    def a_message_walks(self, split, mail_class, name, is_reversed):
        """`is_reversed`: a relay whose config has the routes the other way round."""
        routes = self.routes[::-1] if is_reversed else self.routes
        for route in routes:
            found = self.ask(route, split, mail_class, name)
            if isinstance(found, Granted):
                return found.reservation
            if isinstance(found, Elsewhere):
                [kept] = [r for r in routes if r.id.upstream == found.upstream]
                assert kept is not route
                found = self.ask(kept, split, mail_class, name)
                assert isinstance(found, Granted) or found.is_kept
                return found.reservation if isinstance(found, Granted) else multiple()
            if found.is_kept:
                return multiple()
        return multiple()

    @rule(split=splits, mail_class=classes, name=st.sampled_from([None, "c1"]))
    def many_messages_walk(self, split, mail_class, name):
        for _ in range(5):
            self.a_message_walks(split, mail_class, name, is_reversed=False)

    def ask(self, route, split, mail_class, name):
        now, upstreams = self.clock.now(), tuple(each.id.upstream for each in self.routes)
        demand = Demand(
            route,
            route.policy.window.at(now),
            sum(sends for _, sends in split),
            now,
            f"t{next(_reservations)}",
            "a.1",
            split=split,
            mail_class=mail_class,
            campaign=name and Campaign(name, KEEP_S, upstreams),
        )
        found = self.both("reserve", demand)
        kept = self.kept(name)
        if isinstance(found, Granted):
            assert kept in {None, route.id.upstream}
            self.ledgers[route.id].grant(demand)
            self.note(name, demand)
        elif isinstance(found, Elsewhere):
            assert found.upstream == kept
        else:
            assert isinstance(found, Walled)
            assert found.is_kept == (kept == route.id.upstream)
        return found

    def kept(self, name):
        """The upstream that the campaign keeps to, by what was granted to it."""
        grants = self.campaigns[name] if name else []
        is_over = grants and self.clock.now() >= grants[-1].at + timedelta(seconds=KEEP_S)
        if is_over or not any(grant.stands for grant in grants):
            return None
        return grants[-1].upstream

    def note(self, name, demand):
        if name and self.kept(name) is None:
            self.campaigns[name].clear()
        if name:
            grant = Grant(demand.reservation, demand.route.id.upstream, demand.now)
            self.campaigns[name].append(grant)

    @rule(reservation=reservations, verdict=verdicts)
    def settle(self, reservation: Reservation, verdict):
        entry = self.ledgers[reservation.route].entries[reservation.id]
        is_first = entry.verdict is None
        self.both("settle", reservation, verdict, self.clock.now())
        self.ledgers[reservation.route].settle(reservation, verdict)
        for grant in self.campaigns[reservation.campaign or ""]:
            if grant.id == reservation.id and is_first and verdict is Verdict.REFUND:
                grant.stands = False

    @rule(by=st.sampled_from([60, 3600, 5 * 3600, 24 * 3600, KEEP_S - 1, KEEP_S]))
    def time_passes(self, by):
        self.clock.move(seconds=by)

    @rule(at=st.integers(0, 1))
    def a_pause_begins_or_ends(self, at):
        route = self.routes[at].id
        if not self.both("pause", route, "because", self.clock.now()):
            self.both("resume", route)

    @rule(edited=policies, at=st.integers(0, 1))
    def a_policy_is_edited(self, edited, at):
        self.routes[at] = replace(self.routes[at], policy=sane(edited))

    @invariant()
    def both_stand_alike(self):
        for route in self.routes:
            self.both("standing", route, route.policy.window.at(self.clock.now()))


@pytest.fixture(scope="module")
def machine() -> Iterator[type[TwoRoutes]]:
    with (
        bare_server() as server,
        asyncio.Runner() as runner,
        tempfile.TemporaryDirectory() as folder,
    ):
        clock = HandClock()
        real = runner.run(open_store(StoreConfig(server.url, timeout_s=20), Path(folder), clock))
        yield type("Machine", (TwoRoutes,), {"runner": runner, "clock": clock, "real": real})
        runner.run(real.close())


def run(machine: type[TwoRoutes], examples: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


def test_neither_cap_is_passed_and_no_campaign_split(machine):
    run(machine, 50)


@pytest.mark.slow
def test_neither_cap_is_passed_and_no_campaign_split_for_long(machine):
    run(machine, 1500)
