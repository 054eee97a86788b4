"""What a policy would do with a volume."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from time import perf_counter

from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.plan.mix import divided
from relay.core.plan.plan import MOST_DAYS, plan, plan_from
from relay.core.plan.sentences import sentences
from relay.core.policy.limits import LimitTier, ProviderCap, Share
from relay.core.policy.pacing import Even, HourlyShare
from relay.core.policy.policy import Idle, IdleAction, MailClass
from relay.core.policy.ramp import Advance, Ramp, Tier
from relay.core.policy.window import CalendarDay, Rolling24h
from relay.core.quota.course import from_standing
from relay.core.quota.standing import Leaving, Standing, Tally
from relay.core.status.forecast import forecast
from relay.core.status.report import Status
from relay.core.tenants.tenancy import Route, RouteId
from tests.property.test_quota_machine import policies, sane
from tests.unit.core.quota.test_reservation import CALENDAR, LIFETIME

START = date(2026, 3, 1)
HOLDS = replace(
    CALENDAR, ramp=Ramp(Advance.CALENDAR_DAYS, (Tier(0, 50), Tier(1, 100), Tier(2, 1000)))
)


def test_a_small_volume_is_never_held_up():
    made = plan(CALENDAR, [40], START)
    assert all(row.sent == 40 and row.backlog == 0 for row in made.days)
    assert made.clears_on == START
    assert made.warmed_on == date(2026, 3, 15)


def test_a_large_volume_waits_and_the_oldest_expires_after_five_days():
    made = plan(CALENDAR, [3000], START)
    assert [row.sent for row in made.days[:4]] == [50, 50, 100, 200]
    assert made.expired > 0
    assert made.clears_on is not None
    assert made.days[-1].backlog == 0


def test_a_blast_over_lifetime_tiers_goes_as_the_seed_document_says():
    made = plan(LIFETIME, [2000, 0], START, queue_days=365)
    assert sum(row.sent for row in made.days) == 2000
    caps = [row.cap for row in made.days]
    assert caps[:8] == [50, 50, 50, 50, 100, 100, 100, 500]


@settings(deadline=None)
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=20), st.integers(1, 10))
def test_every_message_is_sent_expired_or_waiting_and_no_day_is_over_its_cap(volumes, queue_days):
    made = plan(CALENDAR, volumes, START, queue_days=queue_days)
    arrived = sum(row.arrived for row in made.days)
    sent = sum(row.sent for row in made.days)
    assert arrived == sent + made.expired + made.days[-1].backlog
    assert all(row.cap is None or row.sent <= row.cap for row in made.days)


def test_a_plan_ends_with_the_first_day_that_all_days_after_are_like():
    made = plan(HOLDS, [1500], START)
    assert [row.cap for row in made.days[:3]] == [50, 100, 1000]
    assert made.settled
    assert (made.warmed_on, made.clears_on) == (None, None)
    longer = plan(HOLDS, [1500] * 40, START)
    last = made.days[-1]
    assert longer.days[: len(made.days)] == made.days
    for row in longer.days[len(made.days) :]:
        assert (row.sent, row.backlog, row.expired) == (last.sent, last.backlog, last.expired)


def test_a_plan_that_is_not_steady_yet_goes_on():
    made = plan(HOLDS, [1050], START, queue_days=10)
    assert len(made.days) > 100  # 50 a day more than the cap: the queue fills slowly
    assert made.days[100].expired == 0
    assert made.settled
    assert made.days[-1].expired == 50


def test_no_mail_never_starts_the_clock():
    made = plan(CALENDAR, [0], START)
    assert [row.cap for row in made.days] == [50]
    assert sentences(made) == [
        "Never warmed: no mail is sent.",
        "The backlog clears every day: no mail waits for the next.",
    ]


def test_the_clock_starts_with_the_first_mail():
    made = plan(CALENDAR, [0, 0, 10], START)
    assert [row.cap for row in made.days[:6]] == [50, 50, 50, 50, 100, 200]
    assert made.warmed_on == date(2026, 3, 17)


def by(advance):
    return replace(CALENDAR, ramp=replace(CALENDAR.ramp, advance=advance))


def test_sending_days_are_those_with_mail():
    made = plan(by(Advance.SENDING_DAYS), [10, 0, 10, 0, 10], START)
    assert [row.cap for row in made.days[:6]] == [50, 50, 50, 100, 100, 200]


def test_qualified_days_are_those_on_which_half_of_the_cap_was_sent():
    made = plan(by(Advance.QUALIFIED_DAYS), [24, 25, 50, 49, 50, 50], START)
    assert [row.cap for row in made.days[:6]] == [50, 50, 50, 100, 100, 200]
    assert made.days[-1].cap == 200  # 50 a day is less than half of it, for good
    assert sentences(made)[0] == "Never warmed: the cap stays at 200 a day."


def test_nothing_comes_after_volumes_that_end():
    made = plan(CALENDAR, [100, 0], START, goes_on=False)
    assert [(row.arrived, row.sent, row.backlog) for row in made.days] == [
        (100, 50, 50),
        (0, 50, 0),
    ]
    assert made.clears_on == date(2026, 3, 2)
    assert sentences(made) == [
        "Not warmed within 2 days.",
        "The backlog clears on 2026-03-02 (day 1).",
    ]


def test_what_waits_longer_than_the_queue_keeps_it_expires():
    made = plan(CALENDAR, [1000, 0, 0, 0], START, goes_on=False, queue_days=2)
    assert [(row.sent, row.backlog, row.expired) for row in made.days] == [
        (50, 950, 0),
        (50, 900, 0),
        (100, 800, 0),
        (0, 0, 800),
    ]
    assert sentences(made)[-1] == (
        "Warning: 800 of 1,000 messages (80.0 %) would expire in the client's queue, which keeps "
        "each of them for 2 days."
    )


def test_a_queue_of_no_days_keeps_nothing_overnight():
    made = plan(CALENDAR, [60, 0], START, goes_on=False, queue_days=0)
    assert [(row.sent, row.expired) for row in made.days] == [(50, 0), (0, 10)]


def test_what_never_ends_is_told_so():
    # 850 of day 3 on day 9, then 1,000 of day 4 on day 10, and so on.
    told = sentences(plan(HOLDS, [2000], START))
    assert told[0] == "Never warmed: the cap stays at 1,000 a day."
    assert told[1] == "The backlog never clears: every day more arrives than may go."
    assert told[2].startswith("Warning: 1,850 of 22,000 messages (8.4 %) would expire")
    assert told[3:] == ["1,000 more would expire every day after that."]


def test_two_years_are_planned_at_once():
    slow = Ramp(Advance.CALENDAR_DAYS, tuple(Tier(day, day + 1) for day in range(1000)))
    began = perf_counter()
    made = plan(replace(CALENDAR, ramp=slow), [5000], START, queue_days=60)
    assert len(made.days) == MOST_DAYS
    assert not made.settled
    assert sentences(made)[:2] == [
        "Not warmed within 730 days.",
        "The backlog does not clear within 730 days.",
    ]
    assert perf_counter() - began < 2


@settings(deadline=None)
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=8), st.integers(0, 10), st.booleans())
def test_a_settled_plan_stays_as_it_ended(volumes, queue_days, goes_on):
    made = plan(HOLDS, volumes, START, queue_days=queue_days, goes_on=goes_on)
    assert made.days[-1].day + 1 >= len(volumes)
    if not goes_on:
        assert made.days[-1].backlog == 0
        return
    if len(made.days) == MOST_DAYS:
        return  # some fewer than the cap a day: the backlog takes years
    assert made.settled
    more = plan(HOLDS, [*volumes, *[volumes[-1]] * 30], START, queue_days=queue_days)
    ended = made.days[-1]
    for row in more.days[len(made.days) :]:
        assert (row.sent, row.backlog, row.expired) == (ended.sent, ended.backlog, ended.expired)


def walled(**more):
    return replace(CALENDAR, **more)


THIRDS = {"google": ProviderCap((LimitTier(0, Share(300_000)),))}


def test_a_provider_waits_behind_its_own_wall_and_the_others_use_the_cap():
    mail = {"google": 60, "other": 60}
    made = plan(walled(providers=THIRDS), [mail], START, goes_on=False)
    google, other = made.days[0].providers
    assert (google.cap, google.sent, google.backlog) == (15, 15, 45)
    assert (other.cap, other.sent, other.backlog) == (None, 35, 25)
    assert made.cleared("other") == date(2026, 3, 2)
    assert made.cleared("google") == date(2026, 3, 3)
    assert "That to google clears on 2026-03-03 (day 2)." in sentences(made)


def test_the_mail_of_a_day_goes_evenly_mixed():
    made = plan(CALENDAR, [{"google": 500, "microsoft": 200, "other": 300}], START, goes_on=False)
    assert [each.sent for each in made.days[0].providers] == [25, 10, 15]


def test_a_provider_that_never_clears_is_told_so():
    held = {"google": ProviderCap((LimitTier(0, 10),))}
    told = sentences(plan(walled(providers=held), [{"google": 20, "other": 20}], START))
    assert "That to google never clears: every day more arrives than may go." in told
    assert "That to other clears every day: no mail waits for the next." in told


def test_days_off_send_nothing_and_a_plan_settles_by_the_week():
    sundays = replace(HOLDS, days_off=frozenset({6}))
    made = plan(sundays, [600], START)  # a Sunday
    assert [(row.is_off, row.open, row.sent) for row in made.days[:2]] == [
        (True, 0, 0), (False, 50, 50),
    ]  # fmt: skip
    assert made.settled
    assert made.period == 7
    assert any(text.startswith("The backlog comes back every week") for text in sentences(made))


def test_headroom_is_kept_from_the_other_class_only():
    kept = walled(headroom_ppm={MailClass.TRANSACTIONAL: 100_000})
    assert plan(kept, [60], START).days[0].sent == 45
    made = plan(kept, [60], START, mail_class=MailClass.TRANSACTIONAL)
    assert made.days[0].sent == 50


def test_smoothing_by_the_hour_lets_so_much_through_in_a_day():
    # Of 50 in every clock hour 1: rounded up from 2 %.
    made = plan(walled(smoothing=HourlyShare(20_000)), [60], START)
    assert (made.days[0].cap, made.days[0].open, made.days[0].sent) == (50, 24, 24)


def test_an_even_day_lets_all_of_its_cap_through():
    for even in (Even(), Even(time(8), time(18)), Even(time(8), time(0))):
        assert plan(walled(smoothing=even), [60], START).days[0].sent == 50


def test_headroom_that_leaves_a_rolling_window_today_is_kept_in_the_plan_too():
    kept = {MailClass.TRANSACTIONAL: 200_000}
    route = Route(RouteId("x", "out"), walled(headroom_ppm=kept, window=Rolling24h()))
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    of_yesterday = Leaving(now + timedelta(hours=1), None, 10, transactional=10)
    leaving = (of_yesterday, Leaving(now + timedelta(hours=23), None, 20))
    standing = Standing(charged=30, sent=30, transactional=10, first_day=START.toordinal())
    standing = replace(standing, leaving=leaving, at=now)
    course = from_standing(route, route.policy.window.at(now), standing, now)
    assert course.room((), MailClass.MARKETING).total == 20


def test_what_went_out_today_is_part_of_the_first_day_whoever_it_went_to():
    google = ProviderCap((LimitTier(0, 9),))
    route = Route(RouteId("x", "out"), walled(providers={"google": google}))
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    standing = Standing(charged=5, sent=5, first_day=START.toordinal(), at=now)
    standing = replace(standing, providers={"other": Tally(charged=5, sent=5)})
    course = from_standing(route, route.policy.window.at(now), standing, now)
    made = plan_from(course, [{"google": 6, "other": 1, "yahoo": 3}])
    first, second = made.days[:2]
    assert (first.arrived, first.sent, second.arrived) == (10, 10, 10)
    assert [each.arrived for each in first.providers] == [3, 5, 2]


def test_an_idle_route_starts_anew_in_the_plan_too():
    idle = walled(idle=Idle(3, IdleAction.RESTART))
    made = plan(idle, [10, 10, 10, 10, 0, 0, 0, 0, 10, 10], START)
    assert [row.cap for row in made.days[:10]] == [50, 50, 100, 200, 500, 1000, 1000, 50, 50, 50]


def test_a_ramp_that_every_weekend_takes_back_is_told_with_all_of_its_week():
    weekends = walled(idle=Idle(2, IdleAction.RESTART), days_off=frozenset({5, 6}))
    made = plan(weekends, [10], date(2026, 3, 4))
    told = "Never warmed: the cap goes from 50 to 500 a day, every week anew."
    assert (made.days[-1].is_off, sentences(made)[0]) == (True, told)


def test_nothing_is_sent_on_a_day_that_the_zone_skips():
    apia = replace(HOLDS, window=CalendarDay("Pacific/Apia"))
    made = plan(apia, [200], date(2011, 12, 29))
    assert [(row.date.day, row.is_off, row.sent) for row in made.days[:3]] == [
        (29, False, 50), (30, True, 0), (31, False, 550),
    ]  # fmt: skip


def test_a_graduated_route_has_no_cap_and_works_on_days_off():
    route = Route(RouteId("news.acme.example", "outbound"), walled(days_off=frozenset({6})))
    standing = Standing(graduated_at=datetime(2026, 2, 1, tzinfo=UTC))
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    course = from_standing(route, route.policy.window.at(now), standing, now)
    made = plan_from(course, [10_000])
    assert [(row.cap, row.sent) for row in made.days[:2]] == [(None, 10_000)] * len(made.days[:2])


@settings(deadline=None)
@given(policies, st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40), st.integers(0, 3))))
def test_what_is_kept_of_a_forecast_is_what_would_be_found_anew(made, steps):
    made = replace(sane(made), providers={}, headroom_ppm={})
    now = datetime(2026, 3, 12, 10, tzinfo=UTC)
    for step, (charged, lifetime, days) in enumerate(steps):
        at = now + timedelta(days=days, minutes=step)
        window = made.window.at(at)
        standing = Standing(
            first_day=window.day - 1, lifetime=lifetime, charged=charged, sent=charged, at=at
        )
        one = Route(RouteId("news.acme.example", "outbound"), made)
        other = Route(RouteId(f"{step}.acme.example", "outbound"), replace(made))
        assert forecast(one, window, standing) == forecast(other, window, standing)


def test_a_mix_divides_whole_messages():
    thirds = {"a": 333_333, "b": 333_333, "c": 333_334}
    assert divided(10, thirds) == {"a": 3, "b": 3, "c": 4}
    assert divided(0, thirds) == {"a": 0, "b": 0, "c": 0}
    assert divided(1, {"x": 500_000, "y": 500_000}) == {"x": 1, "y": 0}


@settings(deadline=None)
@given(policies, st.integers(0, 9), st.integers(0, 40))
def test_the_forecast_of_a_status_is_what_a_plan_of_more_mail_says(made, charged, lifetime):
    made = replace(sane(made), providers={}, headroom_ppm={})
    route = Route(RouteId("news.acme.example", "outbound"), made)
    now = datetime(2026, 3, 12, 10, tzinfo=UTC)
    window = made.window.at(now)
    standing = Standing(
        first_day=window.day - 1, last_day=window.day - 1, lifetime=lifetime,
        lifetime_open=lifetime, sending_days=1, charged=charged, sent=charged, at=now,
    )  # fmt: skip
    forecast = Status(route, "acme", window, standing).fields()["forecast"]
    planned = plan_from(from_standing(route, window, standing, now), [10**9], queue_days=0)
    told = [
        {"date": row.date.isoformat(), "cap": 0 if row.is_off else row.cap} for row in planned.days
    ]
    shorter = min(len(told), len(forecast))
    assert forecast[:shorter] == told[:shorter]
    assert shorter >= min(2, len(forecast))
