"""The model and the real store, driven together through everything that happens to a route.

After every step both must stand alike, and after every grant an independent ledger, which
knows only instants and counts, must find rule 1 kept.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from relay.core.config import StoreConfig
from relay.core.quota import Demand, Granted, Reservation, Seen, Verdict, Walled
from relay.core.ramp import Advance
from relay.store import open_store
from relay.store.memory import MemoryStore
from tests.contract.server import bare_server
from tests.contract.world import HandClock, fresh_route, policy

FURTHEST_BACK = timedelta(hours=24)
_reservations = count()

starting_points = st.sampled_from(
    [
        datetime(2026, 3, 10, 12, 0, tzinfo=UTC),
        datetime(2026, 3, 28, 22, 50, tzinfo=UTC),  # Berlin's day of 23 hours begins
        datetime(2026, 10, 24, 21, 50, tzinfo=UTC),  # and that of 25
        datetime(2026, 4, 4, 14, 40, tzinfo=UTC),  # Lord Howe: half an hour back
    ]
)
zones = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Kathmandu", "Australia/Lord_Howe"]
)
starts = st.sampled_from([time(0), time(0), time(7), time(7, 10), time(23, 59)])
tiers = st.sampled_from(
    [
        [(0, 10)],
        [(0, 3), (1, 8), (2, 20)],
        [(0, 5), (6, 12), (30, 25)],
        [(0, 12), (2, 4)],
        [(0, 6), (3, None)],
    ]
)
policies = st.builds(
    lambda tiers_, zone, starts_, advance: policy(
        *tiers_, zone=zone, starts=starts_, advance=advance
    ),
    tiers,
    zones,
    starts,
    st.sampled_from(Advance),
)
sends = st.integers(1, 6)
sessions = st.sampled_from(["a.1", "a.2", "b.1"])
fingerprints = st.sampled_from([None, "f1", "f2"])
verdicts = st.sampled_from(Verdict)


@dataclass
class Entry:
    at: datetime
    sends: int
    verdict: Verdict | None = None


class Ledger:
    """Instants and counts: what was really charged, told by nobody but the grants."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.first_day: int | None = None
        self.lifetime = 0
        self.graduated = False

    def settle(self, reservation: Reservation, verdict: Verdict) -> None:
        entry = self.entries[reservation.id]
        if entry.verdict is None:
            entry.verdict = verdict
            if verdict is Verdict.SENT:
                self.lifetime += entry.sends
                self.first_day = self.first_day or reservation.window.day

    def restart(self) -> None:
        self.first_day, self.lifetime, self.graduated = None, 0, False

    def check(self, demand: Demand) -> None:
        """Rule 1 at the instant of a grant."""
        cap = self.most(demand)
        window = demand.window
        inside = [e for e in self.entries.values() if window.opens_at <= e.at < window.closes_at]
        used = sum(e.sends for e in inside if e.verdict is not Verdict.REFUND)
        assert cap is None or used <= cap, f"{used} of {cap} in {window.label}"

    def most(self, demand: Demand) -> int | None:
        """The cap; for a lifetime ramp the largest that any part of the lifetime allows."""
        ramp = demand.route.policy.ramp
        if self.graduated:
            return None
        if ramp.advance is Advance.CALENDAR_DAYS:
            days = max(0, demand.window.day - (self.first_day or demand.window.day))
            return [tier.cap for tier in ramp.tiers if tier.start <= days][-1]
        caps = [tier.cap for tier in ramp.tiers if tier.start <= self.lifetime]
        return None if None in caps else max(caps)


class QuotaMachine(RuleBasedStateMachine):
    """One route, two stores, one clock, one ledger."""

    runner: asyncio.Runner
    clock: HandClock
    real: object

    reservations = Bundle("reservations")

    @initialize(start=starting_points, first=policies)
    def begin(self, start, first):
        self.clock.set(start)
        self.latest = start
        self.model = MemoryStore(self.clock)
        self.route = self.before_edit = fresh_route(first)
        self.ledger = Ledger()

    def both(self, verb, *arguments, **options):
        """The one answer of both stores."""
        expected = asyncio.run(getattr(self.model, verb)(*arguments, **options))
        answer = self.runner.run(getattr(self.real, verb)(*arguments, **options))
        assert answer == expected
        return answer

    def demand(self, sends_, fingerprint, session) -> Demand:
        now = self.clock.now()
        window = self.route.policy.window.at(now)
        name = f"m{next(_reservations)}"
        return Demand(self.route, window, sends_, now, name, session, fingerprint)

    @rule(
        target=reservations,
        sends_=sends,
        fingerprint=fingerprints,
        session=sessions,
        anew=st.booleans(),
    )
    def reserve(self, sends_, fingerprint, session, anew):
        demand = self.demand(sends_, fingerprint, session)
        found = self.both("reserve", demand, anew=anew)
        assert isinstance(found, Granted | Walled | Seen)
        if not isinstance(found, Granted):
            return multiple()
        self.ledger.entries[demand.reservation] = Entry(demand.now, sends_)
        self.ledger.check(demand)
        return found.reservation

    @rule(sends_=sends)
    def reserve_and_lose_the_answer(self, sends_):
        self.reserve(sends_, None, "a.1", anew=True)

    @rule(reservation=reservations, verdict=verdicts)
    def settle_perhaps_again(self, reservation, verdict):
        self.both("settle", reservation, verdict, self.clock.now())
        self.ledger.settle(reservation, verdict)

    @rule(reservation=consumes(reservations), verdict=verdicts, other=verdicts)
    def settle_twice(self, reservation, verdict, other):
        self.settle_perhaps_again(reservation, verdict)
        self.settle_perhaps_again(reservation, other)

    @rule(
        fingerprint=st.sampled_from(["f1", "f2"]),
        session=sessions,
        before=st.booleans(),
        verdict=verdicts,
        after=st.sampled_from([None, "left", "heard"]),
        session_after=sessions,
    )
    def a_message_passes(self, fingerprint, session, before, verdict, after, session_after):
        """One message as the pipeline would have it, its client leaving early or late, or not."""
        reservation = self.reserve(1, fingerprint, session, anew=True)
        if not isinstance(reservation, Reservation):
            return
        if before:
            self.both("left", reservation)
        self.settle_perhaps_again(reservation, verdict)
        if after:
            self.both(after, reservation)
        self.reserve(1, fingerprint, session_after, anew=False)

    @rule(reservation=reservations)
    def left(self, reservation):
        self.both("left", reservation)

    @rule(reservation=reservations)
    def heard(self, reservation):
        self.both("heard", reservation)

    @rule(by=st.sampled_from([1, 14 * 60, 3600, 5 * 3600, 23 * 3600, 24 * 3600, 3 * 86_400]))
    def time_passes(self, by):
        self.set_clock(self.clock.now() + timedelta(seconds=by))

    @rule(by=st.integers(1, 24 * 3600))
    def the_clock_is_set_back(self, by):
        earliest = self.latest - FURTHEST_BACK
        self.set_clock(max(earliest, self.clock.now() - timedelta(seconds=by)))

    @rule(before=st.booleans())
    def the_window_ends(self, before):
        closes_at = self.route.policy.window.at(self.clock.now()).closes_at
        self.set_clock(closes_at - timedelta(milliseconds=1) if before else closes_at)

    def set_clock(self, now):
        self.clock.set(now)
        self.latest = max(self.latest, now)

    @rule(edited=policies)
    def the_policy_is_edited(self, edited):
        self.before_edit, self.route = self.route, replace(self.route, policy=edited)

    @rule(edited=policies)
    def only_the_window_is_edited(self, edited):
        kept = replace(self.route.policy, window=edited.window)
        self.the_policy_is_edited(kept)

    @rule()
    def the_edit_is_undone(self):
        self.the_policy_is_edited(self.before_edit.policy)

    @rule(sends_=sends)
    def a_restart_on_the_day_after(self, sends_):
        self.count_as_sent(self.reserve(sends_, None, "a.1", anew=True))
        self.time_passes(24 * 3600)
        self.count_as_sent(self.reserve(sends_, None, "a.1", anew=True))
        self.restart()

    def count_as_sent(self, reservation):
        if isinstance(reservation, Reservation):
            self.settle_perhaps_again(reservation, Verdict.SENT)

    @rule(on=st.booleans())
    def pause_or_resume(self, on):
        if on:
            self.both("pause", self.route.id, "because", self.clock.now())
        else:
            self.both("resume", self.route.id)

    @rule()
    def graduate(self):
        self.both("graduate", self.route.id, self.clock.now())
        self.ledger.graduated = True

    @rule()
    def restart(self):
        self.both("restart", self.route.id)
        self.ledger.restart()

    @invariant()
    def both_stand_alike(self):
        window = self.route.policy.window.at(self.clock.now())
        standing = self.both("standing", self.route, window)
        assert standing.reserved >= 0
        assert min(standing.charged, standing.sent, standing.unknown, standing.lifetime_open) >= 0


@pytest.fixture(scope="module")
def machine() -> Iterator[type[QuotaMachine]]:
    with (
        bare_server() as server,
        asyncio.Runner() as runner,
        tempfile.TemporaryDirectory() as folder,
    ):
        clock = HandClock()
        real = runner.run(open_store(StoreConfig(server.url, timeout_s=20), Path(folder), clock))
        yield type("Machine", (QuotaMachine,), {"runner": runner, "clock": clock, "real": real})
        runner.run(real.close())


def test_the_store_and_the_model_agree_and_never_pass_the_cap(machine):
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


@pytest.mark.slow
def test_the_store_and_the_model_agree_for_long(machine):
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=2000,
            stateful_step_count=60,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
