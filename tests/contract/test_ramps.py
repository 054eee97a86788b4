"""What moves a route up its ramp, and back down: every store, the same answers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from relay.core.policy.policy import Idle, IdleAction
from relay.core.policy.ramp import Advance
from relay.core.quota.reservation import State, Verdict, progress, state_of
from tests.contract.world import policy

SENDING, QUALIFIED = Advance.SENDING_DAYS, Advance.QUALIFIED_DAYS
LIFETIME = Advance.LIFETIME_SENDS
TIERS = ((0, 10), (1, 20), (2, 40), (4, None))


async def at(world) -> int:
    return progress(world.route.policy, world.window, await world.standing())


async def a_day_of(world, sends: int) -> None:
    await world.send(sends)
    world.clock.move(days=1)


async def test_only_days_on_which_something_was_sent_are_sending_days(world):
    world.follow(policy(*TIERS, advance=SENDING))
    await a_day_of(world, 1)
    world.clock.move(days=5)
    assert await at(world) == 1
    await world.granted(20)
    await world.walled(1)


async def test_today_does_not_count_as_a_sending_day_before_it_is_over(world):
    world.follow(policy(*TIERS, advance=SENDING))
    await world.send(5)
    assert await at(world) == 0
    await world.granted(5)
    assert (await world.walled(1)).limit == 10


async def test_a_refused_or_unknown_message_makes_no_sending_day(world):
    world.follow(policy(*TIERS, advance=SENDING))
    await world.settle(await world.granted(1), Verdict.UNKNOWN)
    await world.settle(await world.granted(1), Verdict.REFUND)
    world.clock.move(days=1)
    assert await at(world) == 0


async def test_many_messages_of_one_day_are_one_sending_day(world):
    world.follow(policy(*TIERS, advance=SENDING))
    for _ in range(5):
        await world.send(2)
    world.clock.move(days=1)
    assert await at(world) == 1


async def test_a_settlement_after_midnight_counts_for_the_day_it_was_charged_on(world):
    world.follow(policy(*TIERS, advance=SENDING))
    world.clock.set(datetime(2026, 3, 10, 23, 59, tzinfo=UTC))
    late = await world.granted(1)
    world.clock.move(minutes=2)
    await world.send(1)
    assert await at(world) == 0
    await world.settle(late, Verdict.SENT)
    assert await at(world) == 1
    world.clock.move(days=1)
    assert await at(world) == 2


async def test_a_clock_behind_another_at_midnight_sees_no_day_more_than_there_was(world):
    world.follow(policy(*TIERS, advance=SENDING))
    world.clock.set(datetime(2026, 3, 10, 23, 59, tzinfo=UTC))
    await world.send(10)
    world.clock.move(minutes=2)  # one relay is in the next day already
    await world.send(15)
    world.clock.move(minutes=-2)
    assert await at(world) == 0
    await world.walled(1)


async def test_a_day_qualifies_with_half_of_its_cap_rounded_up(world):
    world.follow(policy((0, 9), (1, 20), advance=QUALIFIED))
    await a_day_of(world, 4)
    assert await at(world) == 0
    await a_day_of(world, 5)
    assert await at(world) == 1
    await world.granted(20)


async def test_the_share_that_qualifies_is_the_policys(world):
    world.follow(policy((0, 10), (1, 20), advance=QUALIFIED, qualify_ppm=1_000_000))
    await a_day_of(world, 9)
    assert await at(world) == 0
    await a_day_of(world, 10)
    assert await at(world) == 1


async def test_what_was_only_charged_qualifies_no_day(world):
    world.follow(policy((0, 10), (1, 20), advance=QUALIFIED))
    await world.settle(await world.granted(9), Verdict.UNKNOWN)
    world.clock.move(days=1)
    assert await at(world) == 0


async def test_a_day_without_a_cap_qualifies_with_its_first_send(world):
    world.follow(policy((0, None), advance=QUALIFIED))
    await a_day_of(world, 1)
    assert await at(world) == 1


async def test_days_that_qualified_stay_qualified_after_an_edit(world):
    world.follow(policy((0, 10), (1, 20), advance=QUALIFIED))
    await a_day_of(world, 6)
    world.follow(policy((0, 100), (1, 200), advance=QUALIFIED, qualify_ppm=1_000_000))
    assert await at(world) == 1


async def test_another_advance_finds_what_it_counts(world):
    world.follow(policy((0, 10), (1, 20)))
    for sends in (2, 5, 8):
        await a_day_of(world, sends)
    world.clock.move(days=4)
    counted = {}
    for advance in Advance:
        world.follow(policy((0, 10), (1, 20), advance=advance))
        counted[advance.value] = await at(world)
    assert counted == {
        "calendar-days": 7,
        "sending-days": 3,
        "qualified-days": 0,  # the cap was 20 from the second day on
        "lifetime-sends": 15,
    }


@pytest.mark.parametrize("advance", [SENDING, QUALIFIED])
async def test_a_restart_forgets_the_days_that_counted(world, advance):
    world.follow(policy(*TIERS, advance=advance))
    await a_day_of(world, 10)
    await a_day_of(world, 10)
    assert await at(world) == 2
    assert await world.store.restart(world.route.id)
    assert await at(world) == 0
    await world.send(1)
    world.clock.move(days=1)
    assert await at(world) == (1 if advance is SENDING else 0)


def idle(days: int, action: IdleAction, advance=Advance.CALENDAR_DAYS, tiers=TIERS):
    return policy(*tiers, advance=advance, idle=Idle(days, action))


async def test_so_many_days_without_sends_are_not_too_many(world):
    world.follow(idle(30, IdleAction.RESTART))
    await world.send(1)
    world.clock.move(days=30)
    assert (await world.standing()).idled == ""
    await world.send(1)
    assert await at(world) == 30


async def test_one_day_more_restarts_the_ramp_and_says_so(world):
    world.follow(idle(30, IdleAction.RESTART))
    await world.send(10)
    world.clock.move(days=31)
    standing = await world.standing()
    assert standing.idled == "restarted: 31 days without sends"
    assert (standing.first_day, standing.lifetime) == (None, 0)
    assert state_of(world.route, world.window, standing) is State.PENDING
    assert (await world.walled(11)).limit == 10
    await world.send(10)
    await world.walled(1)
    after = await world.standing()
    assert after.first_day == world.window.day
    assert after.idled == "restarted: 31 days without sends"
    world.clock.move(days=1)
    assert await at(world) == 1


async def test_a_read_of_an_idle_route_writes_nothing(world):
    world.follow(idle(30, IdleAction.RESTART))
    await world.send(10)
    world.clock.move(days=31)
    await world.standing()
    world.clock.move(days=-31)
    standing = await world.standing()
    assert (standing.idled, standing.lifetime) == ("", 10)


async def test_sends_of_unknown_outcome_do_not_end_idleness(world):
    world.follow(idle(30, IdleAction.RESTART))
    await world.send(10)
    world.clock.move(days=20)
    await world.settle(await world.granted(1), Verdict.UNKNOWN)
    world.clock.move(days=11)
    assert (await world.standing()).idled == "restarted: 31 days without sends"


async def test_a_graduate_that_was_idle_is_warmed_anew(world):
    world.follow(idle(30, IdleAction.RESTART))
    await world.send(10)
    await world.store.graduate(world.route.id, world.clock.now())
    world.clock.move(days=31)
    assert (await world.walled(11)).limit == 10


@pytest.mark.parametrize(
    ("advance", "days"), [(Advance.CALENDAR_DAYS, 3), (SENDING, 3), (QUALIFIED, 3)]
)
async def test_a_step_back_goes_on_from_the_start_of_the_tier_below(world, advance, days):
    world.follow(idle(30, IdleAction.STEP_BACK, advance))
    for cap in (10, 20, 40)[:days]:
        await a_day_of(world, cap)  # the last on the tier from 2
    world.clock.move(days=30)
    standing = await world.standing()
    assert standing.idled == "stepped back: 31 days without sends"
    assert await at(world) == 1
    await world.send(20)
    assert (await world.walled(1)).limit == 20
    world.clock.move(days=1)
    assert await at(world) == 2
    await world.granted(40)


async def test_a_step_back_by_lifetime_sends_goes_on_from_there(world):
    tiers = ((0, 10), (10, 20), (30, 40))
    world.follow(idle(30, IdleAction.STEP_BACK, LIFETIME, tiers))
    for cap in (10, 20, 40):
        await a_day_of(world, cap)
    world.clock.move(days=30)
    assert await at(world) == 10
    await a_day_of(world, 20)
    assert await at(world) == 30
    await world.granted(40)


async def test_from_the_lowest_tier_there_is_no_step_further_back(world):
    world.follow(idle(30, IdleAction.STEP_BACK))
    await world.send(10)
    world.clock.move(days=31)
    assert await at(world) == 0


async def test_a_graduate_steps_back_to_the_last_tier_but_one(world):
    world.follow(idle(30, IdleAction.STEP_BACK))
    await world.send(1)
    await world.store.graduate(world.route.id, world.clock.now())
    world.clock.move(days=31)
    assert await at(world) == 2
    assert (await world.walled(41)).limit == 40


async def test_a_second_idleness_steps_back_from_where_the_first_one_led(world):
    world.follow(idle(30, IdleAction.STEP_BACK))
    for cap in (10, 20, 40, 40):
        await a_day_of(world, cap)
    await a_day_of(world, 100)  # warmed
    world.clock.move(days=31)
    assert await at(world) == 2
    await world.send(1)
    world.clock.move(days=40)
    assert await at(world) == 1


async def test_an_operators_restart_after_a_step_back_goes_to_the_foot(world):
    world.follow(idle(30, IdleAction.STEP_BACK))
    for cap in (10, 20, 40):
        await a_day_of(world, cap)
    world.clock.move(days=31)
    await world.granted(1)
    assert await world.store.restart(world.route.id)
    standing = await world.standing()
    assert (standing.idled, standing.base_days) == ("", 0)
    assert await at(world) == 0


async def test_idleness_forgets_nothing_that_the_window_has_taken(world):
    world.follow(policy((0, 10), (1, 100)))
    await a_day_of(world, 10)
    world.clock.move(days=2)
    await world.settle(await world.granted(60), Verdict.UNKNOWN)
    world.follow(policy((0, 10), (1, 100), idle=Idle(2, IdleAction.RESTART)))
    found = await world.walled(1)
    assert (found.limit, found.used) == (10, 60)
    assert found.standing.idled == "restarted: 3 days without sends"
