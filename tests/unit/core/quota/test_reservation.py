"""What a policy means for a number of sends."""

import pickle
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.policy.policy import EXEMPT, Policy
from relay.core.policy.ramp import Advance, Ramp, Tier
from relay.core.policy.window import CalendarDay
from relay.core.quota.reservation import (
    Standing,
    State,
    Wall,
    WallKind,
    cap_of,
    remaining,
    state_of,
    wall_before,
    warmed_on,
    warmup_day,
)
from relay.core.quota.wording import deferral_text, never_fits_text
from relay.core.status.forecast import forecast
from relay.core.tenants.tenancy import Route, RouteId

CALENDAR = Policy(
    "calendar-14-day",
    "",
    "",
    Ramp(
        Advance.CALENDAR_DAYS,
        tuple(
            Tier(start, cap)
            for start, cap in [
                (0, 50), (2, 100), (3, 200), (4, 500), (5, 1000), (7, 2000), (10, 5000), (14, None),
            ]
        ),
    ),
)  # fmt: skip
LIFETIME = Policy(
    "lifetime-tiers",
    "",
    "",
    Ramp(
        Advance.LIFETIME_SENDS,
        (Tier(0, 50), Tier(200, 100), Tier(500, 500), Tier(1500, 2000), Tier(15000, None)),
    ),
)
FIRST = date(2026, 2, 28)


def route(policy=CALENDAR):
    return Route(RouteId("news.acme.example", "outbound"), policy)


def window(day):
    return CalendarDay().of(FIRST + timedelta(days=day))


def warming(**changes):
    moment = datetime(2026, 2, 28, 9, tzinfo=UTC)
    return replace(Standing(first_day=FIRST.toordinal(), first_at=moment), **changes)


@pytest.mark.parametrize(
    ("day", "cap"),
    [(0, 50), (1, 50), (2, 100), (3, 200), (4, 500), (5, 1000), (6, 1000), (7, 2000), (9, 2000),
     (10, 5000), (13, 5000), (14, None), (400, None)],
)  # fmt: skip
def test_the_calendar_ramp_of_the_seed_document(day, cap):
    assert cap_of(CALENDAR, window(day), warming()) == cap


def test_before_the_first_send_it_is_day_0_whenever_that_is():
    assert cap_of(CALENDAR, window(300), Standing()) == 50
    assert state_of(route(), window(300), Standing()) is State.PENDING


def test_a_clock_set_back_behind_the_first_send_stays_at_day_0():
    assert warmup_day(window(-3), warming()) == 0


def test_a_lifetime_tier_is_fixed_when_the_window_opens():
    crossed = warming(lifetime=1600, lifetime_open=1400)
    assert cap_of(LIFETIME, window(5), crossed) == 500
    assert cap_of(LIFETIME, window(6), replace(crossed, lifetime_open=1600)) == 2000


def test_graduation_takes_the_cap_away():
    graduated = warming(graduated_at=datetime(2026, 3, 1, tzinfo=UTC))
    assert cap_of(CALENDAR, window(1), graduated) is None
    assert state_of(route(), window(1), graduated) is State.WARMED
    assert wall_before(route(), window(1), graduated, 10**9) is None


def test_an_exempt_route_is_exempt_in_a_process_that_was_handed_the_config_too():
    handed = pickle.loads(pickle.dumps(route(EXEMPT)))
    assert state_of(handed, window(0), Standing()) is State.EXEMPT


def test_an_exempt_route_has_no_wall_but_a_pause():
    assert state_of(route(EXEMPT), window(0), Standing()) is State.EXEMPT
    paused = Standing(paused_at=datetime(2026, 3, 1, tzinfo=UTC), reason="by operator")
    wall = wall_before(route(EXEMPT), window(0), paused, 1)
    assert wall is not None
    assert wall.kind is WallKind.PAUSED


@given(st.integers(0, 20), st.integers(0, 6000), st.integers(1, 6000))
def test_a_wall_stands_exactly_where_the_cap_would_be_passed(day, charged, wanted):
    standing = warming(charged=charged)
    cap = cap_of(CALENDAR, window(day), standing)
    wall = wall_before(route(), window(day), standing, wanted)
    assert (wall is None) == (cap is None or charged + wanted <= cap)
    left = remaining(cap, standing)
    assert left is None or left == max(0, cap - charged)


def test_the_day_of_the_end_and_of_a_fit():
    assert warmed_on(CALENDAR, window(3), warming()) == date(2026, 3, 14)
    assert wall_before(route(), window(1), warming(), 150).fits_on == date(2026, 3, 3)
    assert wall_before(route(LIFETIME), window(1), warming(), 150).fits_on is None


def test_a_restarted_route_whose_day_is_used_up_sends_first_tomorrow():
    restarted = Standing(charged=60, sent=50, unknown=10)
    assert warmed_on(CALENDAR, window(0), restarted) == FIRST + timedelta(days=15)
    assert wall_before(route(), window(0), restarted, 80).fits_on == FIRST + timedelta(days=3)
    caps = dict(forecast(route(), window(0), restarted))
    assert (caps[FIRST + timedelta(days=2)], caps[FIRST + timedelta(days=3)]) == (50, 100)


def test_what_is_in_flight_on_a_full_first_day_may_be_the_first_send():
    full = Standing(charged=50, sent=0)
    assert warmed_on(CALENDAR, window(0), full) == FIRST + timedelta(days=14)


def test_the_reply_of_the_design_to_the_letter():
    standing = warming(charged=200, sent=200)
    wall = wall_before(route(), window(3), standing, 1)
    assert deferral_text(wall) == (
        "news.acme.example temporarily rate limited by warm-up: 200 of 200 sent today "
        "(day 3, calendar-14-day); next sends 2026-03-04T00:00:00Z; warmed 2026-03-14"
    )


def test_a_message_wider_than_the_cap_is_told_its_day():
    wall = wall_before(route(), window(1), warming(), 80)
    assert wall.kind is WallKind.MESSAGE
    assert deferral_text(wall).endswith(
        "80 recipients exceed today's cap of 50 (day 1, calendar-14-day); fits on 2026-03-02"
    )


def test_a_message_that_never_fits_is_told_to_be_split():
    small = replace(CALENDAR, name="tiny", ramp=Ramp(Advance.CALENDAR_DAYS, (Tier(0, 50),)))
    wall = Wall(WallKind.MESSAGE, route(small), window(0), Standing(), 60)
    assert never_fits_text(wall) == (
        "60 recipients in one message; tiny never allows more than 50 a day: split it"
    )


def test_a_lifetime_wall_names_the_next_threshold():
    wall = wall_before(route(LIFETIME), window(2), warming(charged=50, lifetime=130), 1)
    assert deferral_text(wall).endswith(
        "50 of 50 sent today (0 lifetime sends, lifetime-tiers); "
        "next sends 2026-03-03T00:00:00Z; cap 100 from 200 lifetime sends"
    )


def test_a_pause_says_why():
    paused = warming(paused_at=datetime(2026, 3, 1, tzinfo=UTC), reason="bounces 6.1 %")
    wall = wall_before(route(), window(1), paused, 1)
    assert deferral_text(wall).endswith("rate limited by warm-up: paused: bounces 6.1 %")
    assert wall.opens_at is None
