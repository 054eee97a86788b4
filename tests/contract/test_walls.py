"""Limits inside the cap: providers, headroom, smoothing, days off. Every store, the same answers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, time, timedelta

import pytest

from relay.core.policy.limits import Share
from relay.core.policy.pacing import Even, HourlyShare
from relay.core.policy.policy import MailClass
from relay.core.quota.reservation import Granted, Tally, Verdict, Walled, WallKind
from tests.contract.world import NOON, policy, provider_tiers, share

TRANSACTIONAL, MARKETING = MailClass.TRANSACTIONAL, MailClass.MARKETING
MIDNIGHT = datetime(2026, 3, 11, tzinfo=UTC)


async def providers_of(world) -> dict[str, Tally]:
    return dict((await world.standing()).providers)


# Providers.


async def test_a_provider_has_a_share_of_the_cap_and_the_rest_goes_on(world):
    world.follow(policy((0, 50), providers={"google": share(50)}))
    await world.to("granted", google=24)
    await world.to("granted", google=1)
    wall = await world.to("walled", google=1)
    assert (wall.kind, wall.provider) == (WallKind.PROVIDER, "google")
    assert (wall.used, wall.limit, wall.wanted) == (25, 25, 1)
    assert wall.opens_at == MIDNIGHT
    await world.to("granted", yahoo=25)
    assert (await world.to("walled", yahoo=1)).kind is WallKind.DOMAIN


async def test_a_message_to_several_providers_is_charged_to_all_or_to_none(world):
    world.follow(policy((0, 50), providers={"google": share(50), "yahoo": share(10)}))
    await world.to("granted", google=5, yahoo=5, other=3)
    before = await world.standing()
    wall = await world.to("walled", google=5, yahoo=1, other=1)
    assert (wall.provider, wall.used, wall.limit) == ("yahoo", 5, 5)
    assert await world.standing() == before
    await world.to("granted", google=5, other=1)


async def test_a_default_is_for_each_other_provider_on_its_own(world):
    world.follow(policy((0, 100), providers={"google": share(50), "default": share(10)}))
    for name in ("yahoo", "apple", "other"):
        await world.to("granted", **{name: 10})
        assert (await world.to("walled", **{name: 1})).provider == name
    await world.to("granted", google=50)


async def test_without_a_default_a_provider_that_is_not_named_has_no_wall(world):
    world.follow(policy((0, 100), providers={"google": share(1)}))
    await world.to("granted", yahoo=100)


async def test_an_absolute_cap_holds_also_where_the_route_has_none(world):
    world.follow(policy((0, None), providers={"google": provider_tiers((0, 7))}))
    await world.to("granted", google=7, other=1000)
    assert (await world.to("walled", google=1)).limit == 7


async def test_a_share_of_an_unlimited_cap_is_unlimited(world):
    world.follow(policy((0, None), providers={"google": share(1)}))
    await world.to("granted", google=10_000)


async def test_a_share_is_rounded_down_but_one_at_least(world):
    world.follow(policy((0, 9), providers={"google": share(50), "yahoo": share(1)}))
    await world.to("granted", google=4)
    await world.to("walled", google=1)
    await world.to("granted", yahoo=1)
    await world.to("walled", yahoo=1)


async def test_a_providers_own_tiers_go_by_the_routes_ramp(world):
    rule = provider_tiers((0, 2), (1, Share(500_000)), (3, None))
    world.follow(policy((0, 10), (2, 20), providers={"google": rule}))
    for expected in (2, 5, 10):
        await world.to("send", google=expected)
        assert (await world.to("walled", google=1)).limit == expected
        world.clock.move(days=1)
    await world.to("granted", google=20)


async def test_each_provider_is_counted_through_every_outcome(world):
    sent = await world.to("granted", google=3, yahoo=2)
    unknown = await world.to("granted", google=4)
    refunded = await world.to("granted", google=5, yahoo=1)
    await world.to("granted", google=6, mail_class=TRANSACTIONAL)
    await world.settle(sent, Verdict.SENT)
    await world.settle(unknown, Verdict.UNKNOWN)
    await world.settle(refunded, Verdict.REFUND)
    assert await providers_of(world) == {
        "google": Tally(charged=13, sent=3, unknown=4, transactional=6),
        "yahoo": Tally(charged=2, sent=2),
    }


async def test_a_refund_gives_a_provider_its_room_back_exactly(world):
    world.follow(policy((0, 50), providers={"google": share(20), "yahoo": share(20)}))
    held = await world.to("granted", google=10, yahoo=3)
    await world.to("walled", google=1)
    await world.settle(held, Verdict.REFUND)
    await world.settle(held, Verdict.REFUND)
    assert await providers_of(world) == {}
    await world.to("granted", google=10, yahoo=10)
    await world.to("walled", yahoo=1)


async def test_a_wall_that_is_edited_in_knows_what_was_sent_before_it(world):
    await world.to("send", google=20, other=1)
    world.follow(policy((0, 50), providers={"google": share(50)}))
    await world.to("granted", google=5)
    await world.to("walled", google=1)


@pytest.mark.parametrize("edited", [{"zone": "Europe/Berlin"}, {"starts": time(7, 10)}])
async def test_an_edited_zone_forgets_no_provider(world, edited):
    walls = {"providers": {"google": share(50)}, "headroom_ppm": {TRANSACTIONAL: 100_000}}
    world.clock.set(datetime(2026, 3, 10, 9, 30, tzinfo=UTC))
    world.follow(policy((0, 50), **walls))
    await world.to("send", google=10, other=2)
    await world.to("send", google=5, mail_class=TRANSACTIONAL)
    in_flight = await world.to("granted", google=4)
    before = await providers_of(world)
    world.follow(policy((0, 50), **walls, **edited))
    assert await providers_of(world) == before
    await world.to("granted", google=6)
    assert (await world.to("walled", google=1)).provider == "google"
    await world.settle(in_flight, Verdict.REFUND)
    await world.to("granted", google=4)
    await world.to("walled", google=1)


async def test_the_next_window_has_new_room_for_every_provider(world):
    world.follow(policy((0, 50), providers={"google": share(50)}))
    await world.to("granted", google=25)
    world.clock.move(days=1)
    await world.to("granted", google=25)
    await world.to("walled", google=1)


async def test_a_graduated_route_has_no_wall_at_all(world):
    walls = {"providers": {"google": provider_tiers((0, 1))}, "days_off": frozenset({1})}
    world.follow(
        policy((0, 5), smoothing=HourlyShare(10_000), headroom_ppm={TRANSACTIONAL: 10**6}, **walls)
    )
    await world.walled(1)
    await world.store.graduate(world.route.id, world.clock.now())
    await world.to("granted", google=500)


async def test_a_message_that_no_provider_day_admits_never_fits(world):
    world.follow(policy((0, 50), (5, 80), providers={"google": share(50)}))
    wall = await world.to("walled", google=41)
    assert (wall.kind, wall.is_too_wide, wall.never_fits) == (WallKind.PROVIDER, True, True)
    assert wall.most_ever == 40
    wall = await world.to("walled", google=40)
    assert (wall.is_too_wide, wall.never_fits) == (True, False)
    assert wall.fits_on == (NOON + timedelta(days=5)).date()


async def test_many_clients_at_once_never_pass_a_wall_of_a_provider(world):
    world.follow(policy((0, 60), providers={"google": share(50), "default": share(25)}))

    async def client(number: int) -> tuple[str, int]:
        name, taken = ("google", "yahoo", "apple", "other")[number % 4], 0
        for _ in range(10):
            found = await world.to("reserve", **{name: 1 + number % 3})
            taken += 1 + number % 3 if isinstance(found, Granted) else 0
        return name, taken

    taken = await asyncio.gather(*(client(n) for n in range(24)))
    sums = {name: sum(n for other, n in taken if other == name) for name, _ in taken}
    assert sum(sums.values()) <= 60
    assert sums["google"] <= 30
    assert max(sums["yahoo"], sums["apple"], sums["other"]) <= 15
    assert {name: t.charged for name, t in (await providers_of(world)).items()} == sums


# Headroom.


async def test_what_is_kept_for_a_class_is_left_for_it(world):
    world.follow(policy((0, 50), headroom_ppm={TRANSACTIONAL: 100_000}))
    await world.to("granted", other=45)
    wall = await world.to("walled", other=1)
    assert (wall.kind, wall.used, wall.limit) == (WallKind.HEADROOM, 45, 45)
    assert wall.bound.kept_for is TRANSACTIONAL
    await world.to("granted", other=5, mail_class=TRANSACTIONAL)
    wall = await world.to("walled", other=1, mail_class=TRANSACTIONAL)
    assert wall.kind is WallKind.DOMAIN


async def test_what_the_class_has_used_is_no_longer_kept(world):
    world.follow(policy((0, 50), headroom_ppm={TRANSACTIONAL: 100_000}))
    await world.to("granted", other=8, mail_class=TRANSACTIONAL)
    await world.to("granted", other=42)
    assert (await world.to("walled", other=1)).kind is WallKind.DOMAIN


async def test_a_refund_of_the_class_is_kept_for_it_again(world):
    world.follow(policy((0, 50), headroom_ppm={TRANSACTIONAL: 100_000}))
    held = await world.to("granted", other=5, mail_class=TRANSACTIONAL)
    await world.to("granted", other=45)
    await world.settle(held, Verdict.REFUND)
    await world.to("walled", other=1)
    await world.to("granted", other=5, mail_class=TRANSACTIONAL)


async def test_headroom_holds_for_each_provider_too(world):
    world.follow(
        policy((0, 50), providers={"google": share(40)}, headroom_ppm={TRANSACTIONAL: 100_000})
    )
    await world.to("granted", google=18)
    wall = await world.to("walled", google=1)
    assert (wall.kind, wall.provider, wall.limit) == (WallKind.HEADROOM, "google", 18)
    await world.to("granted", google=2, mail_class=TRANSACTIONAL)
    await world.to("granted", other=27)
    assert (await world.to("walled", other=1)).provider is None


async def test_headroom_may_be_for_marketing_as_well(world):
    world.follow(policy((0, 50), headroom_ppm={TRANSACTIONAL: 200_000, MARKETING: 400_000}))
    await world.to("granted", other=30, mail_class=TRANSACTIONAL)
    assert (await world.to("walled", other=1, mail_class=TRANSACTIONAL)).limit == 30
    await world.to("granted", other=20)
    await world.to("walled", other=1)


# Smoothing.


async def test_an_hour_has_a_share_of_the_cap_and_the_next_hour_too(world):
    world.follow(policy((0, 50), smoothing=HourlyShare(190_000)))
    await world.granted(10)  # 9.5, rounded up
    wall = await world.walled(1)
    assert (wall.kind, wall.used, wall.limit) == (WallKind.HOUR, 10, 10)
    assert wall.opens_at == NOON + timedelta(hours=1)
    world.clock.move(minutes=59, seconds=59)
    await world.walled(1)
    world.clock.move(seconds=1)
    await world.granted(10)
    await world.walled(1)


async def test_the_smallest_share_of_an_hour_is_one(world):
    world.follow(policy((0, 5), smoothing=HourlyShare(1)))
    await world.granted(1)
    await world.walled(1)


async def test_a_refund_opens_the_hour_again(world):
    world.follow(policy((0, 50), smoothing=HourlyShare(200_000)))
    held = await world.granted(10)
    await world.walled(1)
    await world.settle(held, Verdict.REFUND)
    await world.granted(10)
    await world.walled(1)


async def test_an_hour_that_a_window_ends_in_counts_both_parts(world):
    world.follow(policy((0, 50), starts=time(12, 10), smoothing=HourlyShare(200_000)))
    await world.granted(7)
    world.clock.move(minutes=20)
    assert (await world.standing()).charged == 0
    await world.granted(3)
    assert (await world.walled(1)).opens_at == NOON + timedelta(hours=1)


async def test_hours_are_those_of_the_policys_zone(world):
    world.follow(policy((0, 50), zone="Asia/Kathmandu", smoothing=HourlyShare(200_000)))
    await world.granted(10)  # 17:45 there
    assert (await world.walled(1)).opens_at == NOON + timedelta(minutes=15)
    world.clock.move(minutes=15)
    await world.granted(10)


async def test_an_hour_edited_in_knows_what_was_sent_in_it(world):
    await world.granted(9)
    world.follow(policy((0, 50), smoothing=HourlyShare(200_000)))
    await world.granted(1)
    world.follow(policy((0, 50)))
    await world.granted(5)
    world.follow(policy((0, 50), smoothing=HourlyShare(400_000)))
    await world.granted(5)
    await world.walled(1)


async def test_even_opens_the_cap_along_a_line_over_the_window(world):
    world.follow(policy((0, 48), smoothing=Even(burst=2)))
    await world.granted(25)
    wall = await world.walled(1)
    assert (wall.kind, wall.limit) == (WallKind.HOUR, 25)
    assert wall.opens_at == NOON + timedelta(minutes=30)
    world.clock.set(wall.opens_at - timedelta(seconds=1))
    await world.walled(1)
    world.clock.move(seconds=1)
    await world.granted(1)
    world.clock.set(datetime(2026, 3, 11, 0, 0, 1, tzinfo=UTC))
    await world.granted(2)
    assert (await world.walled(1)).opens_at == datetime(2026, 3, 11, 1, 0, tzinfo=UTC)


async def test_even_opens_the_last_send_of_a_day_before_its_end(world):
    world.follow(policy((0, 48), smoothing=Even()))
    world.clock.set(datetime(2026, 3, 10, 23, 29, 59, tzinfo=UTC))
    await world.granted(47)
    assert (await world.walled(1)).opens_at == datetime(2026, 3, 10, 23, 30, tzinfo=UTC)
    world.clock.move(seconds=1)
    await world.granted(1)
    assert (await world.walled(1)).kind is WallKind.DOMAIN


async def test_even_has_hours_with_nothing_before_and_all_after(world):
    hours = Even(time(8), time(20), burst=3)
    world.follow(policy((0, 24), smoothing=hours))
    day = NOON.replace(hour=0)
    for hour, open_ in [(0, 0), (7, 0), (8, 3), (9, 3), (10, 5), (14, 13), (19, 23), (20, 24)]:
        world.clock.set(day + timedelta(hours=hour))
        taken = (await world.standing()).charged
        if open_ > taken:
            await world.granted(open_ - taken)
        wall = await world.walled(1)
        assert wall.limit == open_
    assert wall.kind is WallKind.DOMAIN
    assert wall.opens_at == MIDNIGHT + timedelta(hours=8)


async def test_before_the_hours_the_wall_names_their_begin(world):
    world.follow(policy((0, 24), smoothing=Even(time(13), time(20), burst=3)))
    wall = await world.walled(2)
    assert (wall.kind, wall.limit) == (WallKind.HOUR, 0)
    assert wall.opens_at == NOON + timedelta(hours=1)
    assert (await world.walled(4)).opens_at == datetime(2026, 3, 10, 13, 52, 30, tzinfo=UTC)


async def test_a_burst_keeps_a_small_cap_usable(world):
    world.clock.set(NOON.replace(hour=0))
    world.follow(policy((0, 5), smoothing=Even()))
    await world.granted(1)
    await world.walled(1)
    world.follow(policy((0, 1000), smoothing=Even()))
    await world.granted(49)
    await world.walled(1)


async def test_an_unlimited_cap_is_not_smoothed(world):
    for smoothing in (Even(time(13), time(14)), HourlyShare(1)):
        world.follow(policy((0, None), smoothing=smoothing))
        await world.granted(10_000)


async def test_two_relays_in_different_hours_share_one_count(world):
    world.follow(policy((0, 50), smoothing=HourlyShare(100_000)))
    for _ in range(5):
        world.clock.set(NOON - timedelta(seconds=1))
        await world.granted(1)
        world.clock.set(NOON + timedelta(seconds=1))
        await world.granted(1)
    for side in (-1, 1):
        world.clock.set(NOON + timedelta(seconds=side))
        await world.walled(1)


# Days off.


async def test_nothing_is_sent_on_a_day_off(world):
    world.follow(policy((0, 50), days_off=frozenset({5, 6})))
    world.clock.set(datetime(2026, 3, 13, 23, 59, 59, tzinfo=UTC))
    await world.granted(1)
    assert (await world.walled(50)).opens_at == datetime(2026, 3, 16, tzinfo=UTC)
    world.clock.move(seconds=1)
    wall = await world.walled(1)
    assert wall.kind is WallKind.DAY_OFF
    assert wall.opens_at == datetime(2026, 3, 16, tzinfo=UTC)
    world.clock.set(wall.opens_at)
    await world.granted(50)


async def test_a_day_off_is_one_of_the_policys_zone(world):
    world.follow(policy((0, 50), zone="Asia/Kathmandu", days_off=frozenset({5, 6})))
    world.clock.set(datetime(2026, 3, 13, 18, 14, tzinfo=UTC))
    await world.granted(1)
    world.clock.move(minutes=1)
    assert (await world.walled(1)).kind is WallKind.DAY_OFF


async def test_a_pause_is_named_before_any_other_wall(world):
    world.follow(policy((0, 50), days_off=frozenset({1}), providers={"google": share(1)}))
    await world.store.pause(world.route.id, "because", world.clock.now())
    found = await world.to("reserve", google=40)
    assert isinstance(found, Walled)
    assert found.wall.kind is WallKind.PAUSED
