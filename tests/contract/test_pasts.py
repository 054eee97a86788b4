"""A past that is adopted stands as if it had been lived, and never gives a charge back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.core.policy.pacing import Even, HourlyShare
from relay.core.policy.policy import Idle, IdleAction
from relay.core.policy.ramp import Advance
from relay.core.quota.history import past_of
from relay.core.quota.reservation import Granted, Standing, Verdict, cap_of, remaining, warmup_day
from relay.store import keys
from relay.store.memory import MemoryStore
from tests.contract.world import NOON, HandClock, World, fresh_route, policy, share

TIERS = ((0, 10), (2, 20), (4, 40), (25, 60), (90, None))
KNOWN = frozenset({"google", "yahoo", "other"})
TODAY = NOON.date().toordinal()


def told(world, *counts, ends=TODAY):
    """A past of so many sends a day, the last of them on the day `ends`."""
    first = ends - len(counts) + 1
    sends = {first + n: count for n, count in enumerate(counts)}
    return past_of(world.route.policy, sends, KNOWN)


async def adopt(world, past, *, replaces=False, dry=False):
    now = world.clock.now()
    return await world.store.adopt(world.route, past, now, replaces=replaces, dry=dry)


async def live(world, *counts):
    """Send so much a day, the last of them today; the clock ends where it was."""
    now = world.clock.now()
    for ago, count in zip(range(len(counts) - 1, -1, -1), counts, strict=True):
        world.clock.set(now - timedelta(days=ago))
        if count:
            await world.send(count)


def beside(world):
    """Another route of the same store, clock and policy."""
    return World(world.store, world.clock, fresh_route(world.route.policy))


def comparable(standing):
    """Without what a past cannot say: the hour of the first send, and of each of the others."""
    return replace(standing, first_at=None, leaving=(), paced=0)


@pytest.mark.parametrize("advance", Advance)
@pytest.mark.parametrize(
    "counts",
    [(10, 4, 20, 7), (3, 0, 20, 20, 0), (1,), (10, 10, 0, 0, 0, 0, 9), (0, 10, 10, 20, 20, 5)],
)
async def test_it_stands_as_if_it_had_been_lived(world, advance, counts):
    world.follow(policy(*TIERS, advance=advance, idle=Idle(3, IdleAction.STEP_BACK)))
    other = beside(world)
    fitting = [min(count, 10) for count in counts]
    await live(world, *fitting)
    adopted = await adopt(other, told(other, *fitting))

    assert comparable(adopted) == comparable(await world.standing())
    for _ in range(2):
        world.clock.move(days=1)
        await world.send(3)
        await other.send(3)
        assert comparable(await other.standing()) == comparable(await world.standing())


async def test_todays_row_counts_in_the_window_of_today(world):
    adopted = await adopt(world, told(world, 20, 30))
    assert (adopted.charged, adopted.sent, adopted.lifetime, adopted.lifetime_open) == (
        30, 30, 50, 20,
    )  # fmt: skip
    assert (await world.walled(21)).standing.charged == 30
    await world.granted(20)
    await world.walled(1)


async def test_yesterdays_row_does_not_count_in_a_calendar_window(world):
    adopted = await adopt(world, told(world, 50, ends=TODAY - 1))
    assert (adopted.charged, adopted.lifetime, adopted.first_day) == (0, 50, TODAY - 1)
    await world.granted(50)


async def test_a_rolling_window_counts_yesterday_as_late_as_it_may_have_been(world):
    world.follow(policy((0, 50), rolling=True))
    adopted = await adopt(world, told(world, 40, 30, 5))
    assert (adopted.charged, adopted.sent) == (35, 35)
    assert [(each.at.hour, each.count) for each in adopted.leaving] == [(0, 30), (12, 5)]
    await world.walled(16)
    world.clock.set(NOON.replace(hour=0) + timedelta(days=1, minutes=14))
    await world.walled(46)
    world.clock.move(minutes=1)
    await world.granted(45)


async def test_a_day_in_the_zone_of_the_policy(world):
    world.follow(policy((0, 50), zone="Asia/Tokyo", starts=time(7)))
    adopted = await adopt(world, told(world, 9, 4))
    assert adopted.first_at == datetime(2026, 3, 8, 22, 0, tzinfo=UTC)
    assert (adopted.charged, warmup_day(world.window, adopted)) == (4, 1)


async def test_each_provider_with_a_cap_of_its_own_is_taken_to_have_had_all_of_today(world):
    world.follow(policy((0, 100), providers={"google": share(50), "yahoo": share(30)}))
    adopted = await adopt(world, told(world, 7, 40))
    assert {name: tally.sent for name, tally in adopted.providers.items()} == {
        "google": 40, "yahoo": 40,
    }  # fmt: skip
    await world.to("granted", google=10)
    await world.to("walled", google=1)
    await world.to("walled", yahoo=1)
    await world.to("granted", other=50)


async def test_a_provider_that_only_the_default_names_has_had_it_too(world):
    world.follow(policy((0, 100), providers={"default": share(30)}))
    adopted = await adopt(world, told(world, 30))
    assert adopted.providers.keys() == KNOWN
    await world.to("walled", other=1)


async def test_smoothing_counts_todays_sends_in_this_hour(world):
    world.follow(policy((0, 100), smoothing=HourlyShare(200_000)))
    assert (await adopt(world, told(world, 15))).paced == 15
    await world.walled(6)
    await world.granted(5)


async def test_a_route_that_has_sent_is_refused_and_nothing_is_changed(world):
    await world.send(3)
    before = await world.standing()
    assert await adopt(world, told(world, 20, 30)) is None
    assert await world.standing() == before


@pytest.mark.parametrize("how", ["in flight", "unknown", "graduated"])
async def test_a_route_with_a_charge_or_a_graduation_is_refused_too(world, how):
    if how == "graduated":
        await world.store.graduate(world.route.id, world.clock.now())
    else:
        reservation = await world.granted(3)
        if how == "unknown":
            await world.settle(reservation, Verdict.UNKNOWN)
    assert await adopt(world, told(world, 20)) is None


async def test_a_pause_or_a_refused_first_message_is_no_past(world):
    await world.settle(await world.granted(3), Verdict.REFUND)
    await world.store.pause(world.route.id, "list check", world.clock.now())
    adopted = await adopt(world, told(world, 20))
    assert (adopted.charged, adopted.reason) == (20, "list check")


async def test_replacing_forgets_the_ramp_and_gives_no_charge_back(world):
    await world.send(12)
    in_flight = await world.granted(5)
    await world.settle(await world.granted(2), Verdict.UNKNOWN)
    await world.store.graduate(world.route.id, world.clock.now())

    adopted = await adopt(world, told(world, 40, 8), replaces=True)
    assert (adopted.charged, adopted.sent, adopted.unknown) == (19, 12, 2)
    assert (adopted.lifetime, adopted.graduated_at, adopted.sending_days) == (48, None, 1)
    higher = await adopt(world, told(world, 40, 30), replaces=True)
    assert (higher.charged, higher.sent, higher.unknown) == (35, 28, 2)

    await world.settle(in_flight, Verdict.SENT)
    after = await world.standing()
    assert (after.charged, after.sent, after.lifetime) == (35, 33, 75)
    await world.walled(16)
    await world.granted(15)


async def test_replacing_with_the_same_past_changes_nothing_more(world):
    world.follow(policy((0, 90), rolling=True, providers={"google": share(50)}))
    first = await adopt(world, told(world, 9, 20, 30))
    assert await adopt(world, told(world, 9, 20, 30), replaces=True) == first


async def test_what_is_in_flight_settles_into_the_adopted_ramp(world):
    """The window knew day 0: the settlement has to count for the day that it is now."""
    world.follow(policy((0, 4), (2, 40), advance=Advance.SENDING_DAYS))
    in_flight = await world.granted(3)
    await adopt(world, told(world, 4, 4, ends=TODAY - 1), replaces=True)
    await world.settle(in_flight, Verdict.SENT)
    after = await world.standing()
    assert (after.last_days, after.last_day) == (2, TODAY)
    world.clock.move(days=1)
    assert (await world.standing()).qualified_days == 2, "3 of 40 is no qualified day"


@pytest.mark.parametrize("smoothing", [None, HourlyShare(200_000), Even()])
@pytest.mark.parametrize("rolling", [False, True])
async def test_a_dry_run_says_what_would_be_and_writes_nothing(world, smoothing, rolling):
    words = {"rolling": rolling, "smoothing": None if rolling else smoothing}
    world.follow(policy((0, 90), providers={"google": share(50)}, **words))
    await world.send(4, split=(("google", 3), ("yahoo", 1)))
    await world.granted(2, split=(("google", 2),))
    before, past = await world.standing(), told(world, 8, 9, 30)
    assert await adopt(world, past, dry=True) is None

    said = await adopt(world, past, replaces=True, dry=True)

    assert await world.standing() == before
    assert await adopt(world, past, replaces=True) == said


async def test_a_past_that_ended_long_ago_is_idle(world):
    world.follow(policy(*TIERS, idle=Idle(30, IdleAction.STEP_BACK)))
    past = told(world, 10, 10, 20, ends=TODAY - 31)
    for dry in (True, False):
        adopted = await adopt(world, past, dry=dry)
        assert adopted.idled == "stepped back: 31 days without sends"
        assert (adopted.base_days, adopted.first_day, adopted.lifetime) == (0, None, 0)


async def test_the_keys_are_those_of_a_route_that_sent_and_expire_as_theirs_do(real_world, raw):
    world, other = real_world, beside(real_world)
    await live(world, 10, 20, 5)
    await adopt(other, told(other, 10, 20, 5))
    for key in (keys.days, keys.sending_days, keys.qualified_days):
        dump = raw.hgetall if key is keys.days else lambda k: raw.zrange(k, 0, -1, withscores=True)
        assert dump(key(other.route.id)) == dump(key(world.route.id))
    fields = {"first_day", "first_at", "lifetime", "last_day", "last_days"}
    assert set(raw.hgetall(keys.route(other.route.id))) == fields
    assert 3 * 86_400_000 < raw.pttl(keys.slices(other.route.id)) <= 4 * 86_400_000


async def test_ten_years_are_adopted_in_one_step(real_world, raw):
    world = real_world
    await adopt(world, told(world, *[5] * 3650))
    assert raw.hlen(keys.days(world.route.id)) == 400
    assert (await world.standing()).sending_days == 3649


days_of_sends = st.lists(st.integers(0, 30), min_size=1, max_size=12).filter(any)
policies = st.builds(
    lambda advance, ppm, idle, zone: policy(
        *TIERS, advance=advance, qualify_ppm=ppm, idle=idle, zone=zone
    ),
    st.sampled_from(Advance),
    st.sampled_from([1, 500_000, 900_000, 1_000_000]),
    st.sampled_from([None, Idle(2, IdleAction.RESTART), Idle(3, IdleAction.STEP_BACK)]),
    st.sampled_from(["UTC", "Asia/Kathmandu", "America/Los_Angeles"]),
)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(the_policy=policies, wanted=days_of_sends)
async def test_whatever_was_lived_within_the_caps_is_adopted_alike(the_policy, wanted):
    clock = HandClock()
    world = World(MemoryStore(clock), clock, fresh_route(the_policy))
    other, sends = beside(world), {}
    for ago, count in zip(range(len(wanted) - 1, -1, -1), wanted, strict=True):
        clock.set(NOON - timedelta(days=ago))
        room = remaining(cap_of(the_policy, world.window, await world.standing()), Standing())
        fitting = count if room is None else min(count, room)
        if fitting:
            await world.send(fitting)
            sends[world.window.day] = fitting
    if not sends:
        return
    adopted = await adopt(other, past_of(the_policy, sends, KNOWN))
    assert comparable(adopted) == comparable(await world.standing())
    for days in (0, 1, 2, 5):
        clock.set(NOON + timedelta(days=days))
        mine, theirs = [await each.reserve(1) for each in (world, other)]
        assert isinstance(mine, Granted) == isinstance(theirs, Granted)
        for each, found in ((world, mine), (other, theirs)):
            if isinstance(found, Granted):
                await each.settle(found.reservation, Verdict.SENT)
        assert comparable(await other.standing()) == comparable(await world.standing())
