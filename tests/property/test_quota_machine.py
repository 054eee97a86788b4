"""The model and the real store, driven together through everything that happens to a route.

After every step both must stand alike, and after every grant an independent ledger, which
knows only instants and counts, must find rule 1 kept.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import replace
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
    precondition,
    rule,
    run_state_machine_as_test,
)

from relay.core.config import StoreConfig
from relay.core.policy.pacing import Even, HourlyShare
from relay.core.policy.policy import ANY_OTHER, Idle, IdleAction, MailClass
from relay.core.policy.ramp import Advance
from relay.core.quota.reservation import Demand, Granted, Reservation, Seen, Verdict, Walled
from relay.store import open_store, patience
from relay.store.memory import MemoryStore
from tests.contract.server import bare_server
from tests.contract.world import HandClock, fresh_route, policy, provider_tiers, share
from tests.property.quota_ledger import Ledger

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
shares = st.sampled_from([share(10), share(34), share(50), share(100)])
provider_rules = st.dictionaries(
    st.sampled_from(["google", "yahoo", ANY_OTHER]),
    st.one_of(
        shares,
        st.sampled_from([provider_tiers((0, 2)), provider_tiers((0, 1), (2, 4), (8, None))]),
    ),
    max_size=3,
)
headrooms = st.dictionaries(
    st.sampled_from(MailClass), st.sampled_from([200_000, 340_000, 500_000]), min_size=1
)
OVERNIGHT = Even(time(22), time(4), burst=1)
smoothings = st.sampled_from(
    [
        None,
        HourlyShare(200_000),
        HourlyShare(333_333),
        Even(),
        Even(burst=2),
        Even(time(8), time(20)),
        OVERNIGHT,
    ]
)
idles = st.sampled_from([None, Idle(2, IdleAction.RESTART), Idle(3, IdleAction.STEP_BACK)])
days_off = st.sampled_from([frozenset(), frozenset(), frozenset({5, 6})])


def sane(edited):
    """Sending hours may not go over the end of the window: the settings refuse that."""
    if edited.smoothing == OVERNIGHT and edited.window.starts not in {time(7), time(7, 10)}:
        return replace(edited, smoothing=Even())
    return edited


def policy_of(tiers_, zone, starts_, advance, walls):
    return policy(*tiers_, zone=zone, starts=starts_, advance=advance, **walls)


walls = st.fixed_dictionaries(
    {},
    optional={
        "rolling": st.booleans(),
        "qualify_ppm": st.sampled_from([1, 500_000, 1_000_000]),
        "providers": provider_rules,
        "headroom_ppm": headrooms,
        "smoothing": smoothings,
        "idle": idles,
        "days_off": days_off,
    },
)
policies = st.builds(policy_of, tiers, zones, starts, st.sampled_from(Advance), walls)
splits = st.lists(
    st.tuples(st.sampled_from(["google", "yahoo", "other"]), st.integers(1, 3)),
    min_size=1,
    max_size=3,
    unique_by=lambda pair: pair[0],
).map(tuple)
classes = st.sampled_from(MailClass)
sends = st.integers(1, 6)
sessions = st.sampled_from(["a.1", "a.2", "b.1"])
fingerprints = st.sampled_from([None, "f1", "f2"])
verdicts = st.sampled_from(Verdict)


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
        self.route = self.before_edit = fresh_route(sane(first))
        self.ledger = Ledger()

    def both(self, verb, *arguments, **options):
        """The one answer of both stores."""
        expected = asyncio.run(getattr(self.model, verb)(*arguments, **options))
        answer = self.runner.run(getattr(self.real, verb)(*arguments, **options))
        assert answer == expected
        return answer

    def demand(self, split, mail_class, fingerprint, session) -> Demand:
        now = self.clock.now()
        window = self.route.policy.window.at(now)
        name, count_ = f"m{next(_reservations)}", sum(sends_ for _, sends_ in split)
        words = (name, session, fingerprint, split, mail_class)
        return Demand(self.route, window, count_, now, *words)

    @rule(
        target=reservations,
        split=splits,
        mail_class=classes,
        fingerprint=fingerprints,
        session=sessions,
        anew=st.booleans(),
    )
    def reserve_for_providers(self, split, mail_class, fingerprint, session, anew):
        demand = self.demand(split, mail_class, fingerprint, session)
        found = self.both("reserve", demand, anew=anew)
        assert isinstance(found, Granted | Walled | Seen)
        if not isinstance(found, Granted):
            return multiple()
        self.ledger.grant(demand)
        return found.reservation

    @rule(
        target=reservations,
        sends_=sends,
        fingerprint=fingerprints,
        session=sessions,
        anew=st.booleans(),
    )
    def reserve(self, sends_, fingerprint, session, anew):
        split = (("other", sends_),)
        return self.reserve_for_providers(split, MailClass.MARKETING, fingerprint, session, anew)

    @rule(split=splits, mail_class=classes, times=st.integers(2, 6))
    def fill_up(self, split, mail_class, times):
        for _ in range(times):
            self.reserve_for_providers(split, mail_class, None, "a.1", anew=True)

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
        self.before_edit, self.route = self.route, replace(self.route, policy=sane(edited))

    @rule(edited=policies)
    def only_the_window_is_edited(self, edited):
        kept = replace(self.route.policy, window=edited.window)
        self.the_policy_is_edited(kept)

    @rule(edited=policies)
    def all_but_the_ramp_is_edited(self, edited):
        self.the_policy_is_edited(replace(edited, ramp=self.route.policy.ramp))

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

    @rule(split=splits)
    def a_pause(self, split):
        self.both("pause", self.route.id, "because", self.clock.now())
        self.reserve_for_providers(split, MailClass.MARKETING, None, "a.1", anew=True)
        self.both("resume", self.route.id)

    @rule(split=splits, mail_class=classes, days=st.integers(1, 4))
    def days_of_sending(self, split, mail_class, days):
        for _ in range(days):
            reserved = [
                self.reserve_for_providers(split, mail_class, None, "a.1", anew=True)
                for _ in range(2)
            ]
            self.count_as_sent(reserved[0])
            self.count_as_sent(reserved[1])
            self.time_passes(24 * 3600)

    @precondition(lambda self: self.route.policy.idle is not None)
    @rule(more=st.integers(0, 1))
    def the_route_is_idle_for_long(self, more):
        self.days_of_sending((("google", 1), ("other", 1)), MailClass.TRANSACTIONAL, 1)
        self.time_passes((self.route.policy.idle.after_days + more) * 24 * 3600)
        self.reserve(1, None, "a.1", anew=True)

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
        by_provider = standing.providers.values()
        assert sum(tally.charged for tally in by_provider) == standing.charged
        assert sum(tally.sent for tally in by_provider) == standing.sent
        assert sum(tally.unknown for tally in by_provider) == standing.unknown
        assert sum(tally.transactional for tally in by_provider) == standing.transactional


@pytest.fixture(scope="module")
def machine() -> Iterator[type[QuotaMachine]]:
    with (
        bare_server() as server,
        asyncio.Runner() as runner,
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patched,
    ):
        patched.setattr(patience, "PAUSES_S", ())
        clock = HandClock()
        real = runner.run(open_store(StoreConfig(server.url, timeout_s=20), Path(folder), clock))
        yield type("Machine", (QuotaMachine,), {"runner": runner, "clock": clock, "real": real})
        runner.run(real.close())


# 4,800 steps: at low priority beside others more than 2 minutes.
@pytest.mark.timeout(600)
def test_the_store_and_the_model_agree_and_never_pass_the_cap(machine):
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=120,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


@pytest.mark.slow
# 60,000 steps: some 3 minutes of processor time, and beside others up to six times as long.
@pytest.mark.timeout(2400)
def test_the_store_and_the_model_agree_for_long(machine):
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=1000,
            stateful_step_count=60,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
