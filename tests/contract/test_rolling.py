"""Windows of the last 24 hours: every store, the same answers."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from relay.core.policy.pacing import Even, HourlyShare
from relay.core.policy.policy import MailClass
from relay.core.policy.ramp import Advance
from relay.core.quota.reservation import Verdict, WallKind
from tests.contract.world import NOON, policy, share

MINUTE = timedelta(minutes=1)
LEAVES = timedelta(days=1, minutes=30)
"""After the begin of its slice: the slice, 24 hours, and one slice for mail under way."""


def rolling(*tiers, **more):
    return policy(*(tiers or ((0, 50),)), rolling=True, **more)


async def test_midnight_opens_nothing(world):
    world.follow(rolling())
    world.clock.set(datetime(2026, 3, 10, 23, 59, tzinfo=UTC))
    await world.granted(50)
    world.clock.move(minutes=2)
    assert (await world.standing()).charged == 50
    await world.walled(1)


async def test_a_charge_counts_until_its_slice_is_a_day_and_a_slice_old(world):
    world.follow(rolling())
    world.clock.set(NOON + 14 * MINUTE)
    await world.granted(30)
    world.clock.move(hours=1)
    await world.granted(20)
    wall = await world.walled(1)
    assert wall.opens_at == NOON + LEAVES
    world.clock.set(NOON + LEAVES - timedelta(milliseconds=1))
    await world.walled(1)
    world.clock.set(NOON + LEAVES)
    await world.granted(30)
    assert (await world.walled(1)).opens_at == NOON + LEAVES + timedelta(hours=1)


async def test_a_clock_that_is_two_days_ahead_makes_nobody_forget_what_was_sent(world):
    world.follow(rolling())
    await world.granted(50)
    world.clock.move(hours=24)
    await world.walled(1)
    world.clock.move(days=2)
    await world.granted(1)
    world.clock.move(days=-2)
    assert (await world.standing()).charged == 51
    await world.walled(1)


async def test_a_wide_message_waits_for_as_many_slices_as_it_needs(world):
    world.follow(rolling())
    for _ in range(5):
        await world.granted(10)
        world.clock.move(hours=1)
    assert (await world.walled(10)).opens_at == NOON + LEAVES
    assert (await world.walled(11)).opens_at == NOON + LEAVES + timedelta(hours=1)
    assert (await world.walled(50)).opens_at == NOON + LEAVES + timedelta(hours=4)


async def test_a_refund_frees_room_at_once(world):
    world.follow(rolling())
    first, second = await world.granted(25), await world.granted(25)
    world.clock.move(minutes=20)
    await world.settle(first, Verdict.REFUND)
    await world.granted(25)
    wall = await world.walled(1)
    assert wall.opens_at == NOON + LEAVES
    await world.settle(second, Verdict.SENT)
    assert (await world.standing()).sent == 25


async def test_the_ramp_goes_by_calendar_days_of_the_zone(world):
    world.follow(rolling((0, 10), (1, 25), zone="Asia/Kathmandu"))
    world.clock.set(datetime(2026, 3, 10, 18, 0, tzinfo=UTC))
    await world.send(10)
    await world.walled(1)
    world.clock.move(minutes=15)  # midnight there
    await world.granted(15)
    assert (await world.walled(1)).limit == 25


async def test_a_lifetime_tier_counts_the_sends_that_have_left_the_window(world):
    world.follow(rolling((0, 20), (20, 40), advance=Advance.LIFETIME_SENDS))
    await world.send(20)
    world.clock.move(hours=12)
    await world.walled(1)
    world.clock.set(NOON + LEAVES)
    await world.granted(40)


async def test_an_edit_to_and_from_calendar_days_forgets_nothing(world):
    await world.to("send", google=30)
    world.follow(rolling(providers={"google": share(100)}))
    assert (await world.standing()).providers["google"].sent == 30
    await world.to("send", google=10)
    world.follow(policy())
    assert (await world.standing()).sent == 40
    world.clock.move(hours=13)
    assert (await world.standing()).sent == 0
    world.follow(rolling())
    assert (await world.standing()).sent == 40


async def test_a_wall_of_a_provider_opens_when_its_own_mail_leaves(world):
    world.follow(rolling(providers={"google": share(20)}))
    await world.to("granted", yahoo=10)
    world.clock.move(hours=2)
    await world.to("granted", google=10)
    wall = await world.to("walled", google=1)
    assert (wall.kind, wall.provider) == (WallKind.PROVIDER, "google")
    assert wall.opens_at == NOON + timedelta(hours=2) + LEAVES


async def test_headroom_and_hours_hold_in_a_rolling_window(world):
    kept = {MailClass.TRANSACTIONAL: 100_000}
    world.follow(rolling(headroom_ppm=kept, smoothing=HourlyShare(500_000)))
    await world.granted(25)
    assert (await world.walled(1)).kind is WallKind.HOUR
    world.clock.move(hours=1)
    await world.granted(20)
    assert (await world.walled(1)).kind is WallKind.HEADROOM
    await world.to("granted", mail_class=MailClass.TRANSACTIONAL, other=5)


async def test_headroom_is_kept_again_when_those_who_have_used_it_leave(world):
    world.follow(rolling((0, 20), headroom_ppm={MailClass.TRANSACTIONAL: 500_000}))
    await world.granted(10, mail_class=MailClass.TRANSACTIONAL)
    world.clock.move(hours=1)
    await world.granted(10)
    opens = NOON + timedelta(hours=1) + LEAVES
    assert (await world.walled(1)).opens_at == opens
    world.clock.set(NOON + LEAVES)
    assert (await world.walled(1)).opens_at == opens
    world.clock.set(opens)
    await world.granted(1)


async def test_a_lifetime_tier_that_is_reached_as_sends_leave_opens_the_window(world):
    world.follow(rolling((0, 20), (10, 40), advance=Advance.LIFETIME_SENDS))
    await world.send(10)
    world.clock.move(hours=1)
    await world.send(10)
    assert (await world.walled(15)).opens_at == NOON + LEAVES
    world.clock.set(NOON + LEAVES - timedelta(seconds=1))
    await world.walled(15)
    world.clock.set(NOON + LEAVES)
    await world.granted(15)


async def test_even_opens_the_cap_over_the_calendar_day(world):
    world.follow(rolling((0, 48), smoothing=Even(time(0), time(12), burst=1)))
    world.clock.set(datetime(2026, 3, 10, 23, 0, tzinfo=UTC))
    await world.granted(20)
    world.clock.set(datetime(2026, 3, 11, 3, 0, tzinfo=UTC))
    assert (await world.standing()).paced == 0
    await world.granted(13)
    wall = await world.walled(1)
    assert (wall.kind, wall.limit) == (WallKind.HOUR, 13)
    assert wall.opens_at == datetime(2026, 3, 11, 3, 15, tzinfo=UTC)


async def test_a_relay_whose_clock_is_behind_counts_what_one_ahead_has_sent(world):
    world.follow(rolling())
    world.clock.set(NOON + timedelta(seconds=80))
    await world.granted(50)
    world.clock.set(NOON - timedelta(seconds=80))
    await world.walled(1)


async def test_days_off_and_idle_days_are_calendar_days(world):
    world.follow(rolling(days_off=frozenset({5, 6})))
    world.clock.set(datetime(2026, 3, 14, 0, 10, tzinfo=UTC))
    wall = await world.walled(1)
    assert (wall.kind, wall.opens_at) == (WallKind.DAY_OFF, datetime(2026, 3, 16, tzinfo=UTC))


async def test_qualified_days_count_the_sends_of_the_calendar_day(world):
    world.follow(rolling((0, 10), (1, 30), advance=Advance.QUALIFIED_DAYS))
    await world.send(2)
    world.clock.move(hours=3)
    await world.send(3)
    world.clock.move(hours=20)
    assert (await world.standing()).qualified_days == 1
