"""What every `ports.QuotaStore` promises: the same tests for the model and the real servers."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, time, timedelta

import pytest

from relay.core.errors import StoreTrouble
from relay.core.policy.ramp import Advance
from relay.core.quota.reservation import (
    Granted,
    Mark,
    Part,
    Seen,
    Standing,
    Verdict,
    WallKind,
    room_left,
)
from relay.core.tenants.tenancy import Route, RouteId
from tests.contract.world import NOON, fresh_route, policy

LIFETIME = Advance.LIFETIME_SENDS


async def test_a_route_never_seen_stands_at_nothing(world):
    assert await world.standing() == Standing()


async def test_a_reservation_is_charged_at_once_and_its_answer_tells_what_room_is_left(world):
    found = await world.reserve(3)
    assert isinstance(found, Granted)
    assert await world.standing() == Standing(charged=3)
    assert found.room == room_left(world.route, world.window, await world.standing()) == 47
    assert (found.reservation.count, found.reservation.route) == (3, world.route.id)


async def test_the_last_send_of_a_cap_is_granted_and_the_next_is_walled(world):
    await world.granted(49)
    await world.granted(1)
    wall = await world.walled(1)
    assert (wall.kind, wall.limit, wall.standing.charged) == (WallKind.DOMAIN, 50, 50)
    assert wall.opens_at == datetime(2026, 3, 11, tzinfo=UTC)


async def test_a_message_fits_whole_or_not_at_all(world):
    await world.granted(48)
    await world.walled(3)
    assert (await world.standing()).charged == 48
    await world.granted(2)


async def test_a_message_larger_than_the_cap_hits_a_wall_of_its_own_kind(world):
    assert (await world.walled(51)).kind is WallKind.MESSAGE


async def test_a_sent_reservation_starts_the_clock_and_counts_for_life(world):
    await world.send(7)
    standing = await world.standing()
    assert (standing.charged, standing.sent, standing.reserved) == (7, 7, 0)
    assert standing.first_day == NOON.date().toordinal()
    assert (standing.first_at, standing.lifetime) == (NOON, 7)


async def test_a_refund_gives_the_charge_back_and_starts_no_clock(world):
    reservation = await world.granted(50)
    await world.settle(reservation, Verdict.REFUND)
    assert await world.standing() == Standing()
    await world.granted(50)


async def test_an_unknown_outcome_stays_charged_and_moves_no_ramp(world):
    reservation = await world.granted(50)
    await world.settle(reservation, Verdict.UNKNOWN)
    assert await world.standing() == Standing(charged=50, unknown=50)
    await world.walled(1)


@pytest.mark.parametrize("second", Verdict)
@pytest.mark.parametrize("first", Verdict)
async def test_only_the_first_settlement_counts(world, first, second):
    await world.granted(5)
    reservation = await world.granted(9, "print")
    await world.settle(reservation, first)
    after_one = await world.standing()
    await world.settle(reservation, second)
    assert await world.standing() == after_one


async def test_settling_what_was_never_reserved_changes_nothing(world):
    reservation = await world.granted(5)
    await world.settle(reservation, Verdict.REFUND)
    await world.settle(reservation, Verdict.SENT)
    assert await world.standing() == Standing()


async def test_the_next_window_has_a_cap_of_its_own(world):
    await world.granted(50)
    world.clock.set(datetime(2026, 3, 10, 23, 59, 59, 999_000, tzinfo=UTC))
    await world.walled(1)
    world.clock.move(milliseconds=1)
    assert await world.standing() == Standing()
    await world.granted(50)


async def test_a_settlement_after_midnight_goes_to_the_window_it_was_charged_in(world):
    world.clock.set(datetime(2026, 3, 10, 23, 59, tzinfo=UTC))
    refunded, sent = await world.granted(10), await world.granted(20)
    yesterday = world.window
    world.clock.move(minutes=2)
    await world.granted(5)
    await world.settle(refunded, Verdict.REFUND)
    await world.settle(sent, Verdict.SENT)
    assert (await world.standing()).charged == 5
    before = await world.store.standing(world.route, yesterday)
    assert (before.charged, before.sent) == (20, 20)
    assert before.first_day == yesterday.day


async def test_a_clock_that_goes_back_over_midnight_finds_yesterday_still_charged(world):
    await world.granted(50)
    world.clock.move(days=1)
    await world.granted(50)
    world.clock.move(days=-1)
    await world.walled(1)
    world.clock.move(days=1)
    await world.walled(1)


async def test_calendar_tiers_rise_with_the_days_since_the_first_send(world):
    world.follow(policy((0, 10), (1, 20), (3, None)))
    await world.send(10)
    await world.walled(1)
    world.clock.move(days=1)
    await world.granted(20)
    await world.walled(1)
    world.clock.move(days=2)
    await world.granted(100_000)


async def test_an_idle_day_before_the_first_send_moves_nothing(world):
    world.follow(policy((0, 10), (1, 20)))
    await world.settle(await world.granted(10), Verdict.UNKNOWN)
    world.clock.move(days=1)
    await world.granted(10)
    await world.walled(1)


async def test_a_lifetime_threshold_crossed_today_raises_tomorrows_cap(world):
    world.follow(policy((0, 50), (40, 100), advance=LIFETIME))
    await world.send(45)
    await world.granted(5)
    await world.walled(1)
    assert (await world.standing()).lifetime_open == 0
    world.clock.move(days=1)
    assert (await world.standing()).lifetime_open == 45
    await world.granted(100)
    await world.walled(1)


async def test_a_lifetime_window_first_looked_at_keeps_the_tier_it_opened_with(world):
    world.follow(policy((0, 50), (40, 100), advance=LIFETIME))
    await world.send(50)
    world.follow(policy((0, 50), (40, 100), advance=LIFETIME, zone="Europe/Berlin"))
    standing = await world.standing()
    assert (standing.charged, standing.sent, standing.lifetime_open) == (50, 50, 0)
    await world.walled(1)


async def test_an_edited_tier_counts_at_once_and_what_was_sent_stays_counted(world):
    await world.send(50)
    world.follow(policy((0, 60)))
    await world.granted(10)
    await world.walled(1)
    world.follow(policy((0, 20)))
    assert (await world.walled(1)).standing.charged == 60


@pytest.mark.parametrize(
    "edited",
    [
        {"zone": "Europe/Berlin"},
        {"zone": "Asia/Kathmandu"},
        {"zone": "America/Los_Angeles"},
        {"starts": time(7, 0)},
        {"starts": time(7, 10)},
        {"zone": "Australia/Lord_Howe", "starts": time(3, 37)},
    ],
)
async def test_an_edited_zone_or_start_forgets_nothing_that_its_window_holds(world, edited):
    world.clock.set(datetime(2026, 3, 10, 9, 30, tzinfo=UTC))
    await world.send(20)
    await world.settle(await world.granted(5), Verdict.UNKNOWN)
    in_flight = await world.granted(15)
    world.follow(policy(**edited))
    standing = await world.standing()
    assert (standing.charged, standing.sent, standing.unknown) == (40, 20, 5)
    await world.granted(10)
    await world.walled(1)
    await world.settle(in_flight, Verdict.REFUND)
    await world.granted(15)
    await world.walled(1)


async def test_a_slice_that_straddles_an_edited_boundary_is_counted_whole(world):
    world.clock.set(datetime(2026, 3, 10, 7, 5, tzinfo=UTC))
    await world.granted(50)
    world.follow(policy(starts=time(7, 10)))
    world.clock.move(minutes=7)
    assert (await world.standing()).charged == 50
    await world.walled(1)


async def test_an_edit_there_and_back_counts_what_was_sent_in_between(world):
    await world.send(30)
    world.follow(policy(zone="Europe/Berlin"))
    await world.send(20)
    world.follow(policy())
    assert (await world.standing()).sent == 50
    await world.walled(1)


async def test_two_relays_with_different_zones_share_one_count(world):
    here, there = policy(), policy(zone="Europe/Berlin")
    for n in range(10):
        world.follow(here if n % 2 else there)
        await world.send(5)
    for both in (here, there):
        world.follow(both)
        await world.walled(1)


async def test_windows_that_start_off_the_quarter_hour_share_no_slice(world):
    world.follow(policy(starts=time(7, 10)))
    world.clock.set(datetime(2026, 3, 10, 7, 9, 59, tzinfo=UTC))
    await world.granted(50)
    world.clock.move(seconds=1)
    assert await world.standing() == Standing()
    await world.granted(50)
    world.clock.move(seconds=-1)
    await world.walled(1)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
async def test_the_days_on_which_the_zone_changes_have_one_cap_each(world, day, hours):
    world.follow(policy(zone="Europe/Berlin"))
    window = world.route.policy.window.of(day)
    assert window.closes_at - window.opens_at == timedelta(hours=hours)
    world.clock.set(window.opens_at)
    await world.granted(25)
    world.clock.set(window.closes_at - timedelta(seconds=1))
    await world.granted(25)
    await world.walled(1)
    world.clock.set(window.closes_at)
    await world.granted(50)
    world.clock.set(window.opens_at - timedelta(seconds=1))
    await world.granted(50)
    await world.walled(1)


async def test_a_pause_walls_everything_and_says_why_until_resumed(world):
    await world.send(1)
    assert await world.store.pause(world.route.id, "maintenance ☂", world.clock.now())
    assert not await world.store.pause(world.route.id, "again", world.clock.now())
    wall = await world.walled(1)
    assert (wall.kind, wall.standing.reason, wall.opens_at) == (
        WallKind.PAUSED,
        "maintenance ☂",
        None,
    )
    assert wall.standing.paused_at == NOON
    assert await world.store.resume(world.route.id)
    assert not await world.store.resume(world.route.id)
    await world.granted(1)


async def test_what_is_in_flight_when_a_route_is_paused_is_still_settled(world):
    reservation = await world.granted(3)
    await world.store.pause(world.route.id, "", world.clock.now())
    await world.settle(reservation, Verdict.SENT)
    assert (await world.standing()).sent == 3


async def test_a_start_is_noted_once_until_the_route_is_restarted(world):
    route, now = world.route.id, world.clock.now()
    assert await world.store.start(route, now)
    assert not await world.store.start(route, now)
    assert await world.store.restart(route)
    assert await world.store.start(route, now)
    assert (await world.standing()).first_day is None


async def test_a_route_that_has_sent_is_not_started(world):
    await world.send(1)
    assert not await world.store.start(world.route.id, world.clock.now())
    await world.store.restart(world.route.id)
    assert await world.store.start(world.route.id, world.clock.now())


async def test_a_graduated_route_has_no_cap(world):
    await world.granted(50)
    assert await world.store.graduate(world.route.id, world.clock.now())
    assert not await world.store.graduate(world.route.id, world.clock.now())
    await world.granted(1_000_000)
    assert (await world.standing()).graduated_at == NOON


async def test_a_restart_forgets_the_ramp_but_not_what_the_window_sent(world):
    world.follow(policy((0, 10), (1, 100)))
    await world.send(5)
    world.clock.move(days=1)
    await world.send(60)
    await world.store.graduate(world.route.id, world.clock.now())
    assert await world.store.restart(world.route.id)
    standing = await world.standing()
    assert (standing.charged, standing.sent, standing.lifetime) == (60, 60, 0)
    assert (standing.first_day, standing.first_at, standing.graduated_at) == (None, None, None)
    assert (await world.walled(1)).limit == 10
    assert not await world.store.restart(world.route.id)


async def test_a_restart_takes_a_lifetime_ramp_down_within_the_window(world):
    world.follow(policy((0, 50), (40, 100), advance=LIFETIME))
    await world.send(45)
    world.clock.move(days=1)
    await world.send(60)
    await world.store.restart(world.route.id)
    assert (await world.standing()).lifetime_open == 0
    assert (await world.walled(1)).limit == 50
    world.clock.move(days=1)
    await world.send(45)
    assert (await world.standing()).lifetime == 45
    await world.walled(6)
    world.clock.move(days=1)
    await world.granted(100)


async def test_a_restart_of_a_paused_route_keeps_it_paused(world):
    await world.send(1)
    await world.store.pause(world.route.id, "why", world.clock.now())
    await world.store.restart(world.route.id)
    assert (await world.standing()).reason == "why"
    await world.walled(1)


async def test_a_restart_before_the_first_send_has_nothing_to_undo(world):
    await world.granted(5)
    assert not await world.store.restart(world.route.id)


async def test_routes_of_one_domain_count_apart(world):
    other = Route(RouteId(world.route.id.domain, "second"), world.route.policy)
    await world.granted(50)
    world.route = other
    assert await world.standing() == Standing()
    await world.granted(50)


async def test_many_standings_come_in_the_order_asked_for(world):
    routes = [fresh_route(policy()) for _ in range(20)]
    for n, route in enumerate(routes):
        world.route = route
        await world.granted(n + 1)
    wanted = [(route, world.window) for route in reversed(routes)]
    standings = await world.store.standings(wanted)
    assert [s.charged for s in standings] == list(range(20, 0, -1))
    assert await world.store.standings([]) == []


async def test_callers_at_once_never_take_more_than_the_cap(world):
    found = await asyncio.gather(*(world.reserve(3) for _ in range(30)))
    assert sum(isinstance(f, Granted) for f in found) == 16
    assert (await world.standing()).charged == 48


async def test_a_message_that_was_taken_is_seen_again_and_not_charged(world):
    await world.send(2, "print", "i.1")
    assert await world.reserve(2, "print", "i.2") == Seen({"i.1": Mark.TAKEN})
    standing = await world.standing()
    assert (standing.charged, standing.unheard) == (2, 1)


async def test_a_message_seen_while_the_route_is_full_or_paused_is_still_seen(world):
    await world.send(50, "print")
    await world.store.pause(world.route.id, "", world.clock.now())
    assert isinstance(await world.reserve(50, "print"), Seen)


async def test_anew_charges_a_message_that_only_looks_alike(world):
    await world.send(2, "print", "i.1")
    again = await world.granted(2, "print", "i.2", anew=True)
    await world.settle(again, Verdict.SENT)
    assert await world.reserve(2, "print", "i.3") == Seen({"i.1": Mark.TAKEN, "i.2": Mark.TAKEN})
    assert (await world.standing()).unheard == 2


async def test_what_is_being_heard_makes_no_retry_of_a_message_that_comes_right_behind(world):
    reservation = await world.send(1, "f1", "i.1")
    heard = asyncio.create_task(world.store.heard(reservation))
    await asyncio.sleep(0)
    again = await world.granted(1, "f1", "i.2")
    await heard
    reservation = await world.send(1, "f2", "i.1")
    heard = asyncio.create_task(world.store.heard(reservation))
    await asyncio.sleep(0)
    found = await world.store.attempts(world.route.id.domain, ["f2", "f1"], "", world.clock.now())
    assert found == [{}, {}]
    await heard
    await world.settle(again, Verdict.REFUND)


async def test_a_message_that_was_heard_of_is_forgotten(world):
    reservation = await world.send(2, "print", "i.1")
    await world.store.heard(reservation)
    await world.store.heard(reservation)
    assert (await world.standing()).unheard == 0
    await world.granted(2, "print", "i.2")


async def test_a_client_that_leaves_after_the_acceptance_is_gone(world):
    reservation = await world.send(2, "print", "i.1")
    await world.store.left(reservation)
    await world.store.left(reservation)
    assert await world.reserve(2, "print", "i.2") == Seen({"i.1": Mark.GONE})
    assert (await world.standing()).unheard == 1


async def test_a_client_that_leaves_before_the_outcome_has_left_and_then_is_gone(world):
    reservation = await world.granted(2, "print", "i.1")
    await world.store.left(reservation)
    assert await world.reserve(2, "print", "i.2") == Seen({"i.1": Mark.LEFT})
    assert (await world.standing()).unheard == 0
    await world.settle(reservation, Verdict.SENT)
    assert await world.reserve(2, "print", "i.2") == Seen({"i.1": Mark.GONE})


@pytest.mark.parametrize("verdict", [Verdict.REFUND, Verdict.UNKNOWN])
async def test_a_client_that_left_may_send_again_what_was_not_taken(world, verdict):
    reservation = await world.granted(2, "print", "i.1")
    await world.store.left(reservation)
    await world.settle(reservation, verdict)
    await world.store.left(reservation)
    await world.granted(2, "print", "i.2")


async def test_one_session_leaving_does_not_touch_the_mark_of_another(world):
    await world.send(1, "print", "i.1")
    second = await world.granted(1, "print", "i.2", anew=True)
    await world.store.left(second)
    assert await world.reserve(1, "print", "i.3") == Seen({"i.1": Mark.TAKEN, "i.2": Mark.LEFT})
    await world.settle(second, Verdict.REFUND)
    assert await world.reserve(1, "print", "i.3") == Seen({"i.1": Mark.TAKEN})


async def test_left_is_remembered_for_a_quarter_of_an_hour(world):
    await world.store.left(await world.granted(1, "print", "i.1"))
    world.clock.move(minutes=14, seconds=59)
    assert isinstance(await world.reserve(1, "print", "i.2"), Seen)
    world.clock.move(seconds=1)
    await world.granted(1, "print", "i.2")


async def test_an_acceptance_is_remembered_longer_than_an_mta_retries(world):
    await world.send(1, "print", "i.1")
    world.clock.move(days=5, hours=23)
    assert isinstance(await world.reserve(1, "print", "i.2"), Seen)
    world.clock.move(hours=1)
    assert (await world.standing()).unheard == 0
    await world.granted(1, "print", "i.2")


async def test_a_message_without_a_fingerprint_is_never_remembered(world):
    reservation = await world.send(1)
    await world.store.left(reservation)
    await world.store.heard(reservation)
    assert (await world.standing()).unheard == 0
    await world.granted(1)


async def test_messages_of_other_domains_are_never_mixed_up(world):
    await world.send(1, "print")
    world.route = fresh_route(policy())
    assert (await world.standing()).unheard == 0
    await world.granted(1, "print")


# Dividing what is reserved.


async def divided(world, counts, whole=None):
    whole = whole or await world.granted(sum(counts))
    parts = [Part(f"{whole.id}.{n}", count) for n, count in enumerate(counts)]
    return await world.store.divide(whole, parts)


async def test_a_divided_reservation_is_charged_as_before_and_settled_in_parts(world):
    first, second, third = await divided(world, [1, 2, 3])
    assert (await world.standing()).charged == 6
    await world.settle(first, Verdict.SENT)
    await world.settle(second, Verdict.REFUND)
    await world.settle(third, Verdict.UNKNOWN)
    standing = await world.standing()
    assert (standing.charged, standing.sent, standing.unknown, standing.lifetime) == (4, 1, 3, 1)
    assert standing.reserved == 0


async def test_the_parts_keep_their_providers(world):
    whole = await world.granted(3, split=(("google", 2), ("other", 1)))
    parts = [Part("a", 2, (("google", 1), ("other", 1))), Part("b", 1, (("google", 1),))]
    first, second = await world.store.divide(whole, parts)
    await world.settle(first, Verdict.SENT)
    await world.settle(second, Verdict.REFUND)
    tallies = (await world.standing()).providers
    assert {name: (t.charged, t.sent) for name, t in tallies.items()} == {
        "google": (1, 1),
        "other": (1, 1),
    }


async def test_the_whole_is_gone_once_it_is_divided(world):
    whole = await world.granted(4)
    parts = await divided(world, [1, 3], whole)
    await world.settle(whole, Verdict.REFUND)
    assert (await world.standing()).charged == 4
    await divided(world, [2, 2], whole)
    for part in parts:
        await world.settle(part, Verdict.REFUND)
    assert (await world.standing()).charged == 0


async def test_parts_that_are_not_the_whole_are_refused_and_change_nothing(real_world):
    whole = await real_world.granted(3)
    with pytest.raises(StoreTrouble):
        await real_world.store.divide(whole, [Part("a", 1), Part("b", 1)])
    await real_world.settle(whole, Verdict.REFUND)
    assert (await real_world.standing()).charged == 0
