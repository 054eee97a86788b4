"""Which wall is named, what is said of it, and when it opens."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from relay.core.errors import WarmupLimit
from relay.core.policy.limits import LimitTier, ProviderCap
from relay.core.policy.pacing import Even, HourlyShare
from relay.core.policy.policy import EXEMPT, Idle, IdleAction, MailClass, Policy
from relay.core.policy.ramp import Advance, Ramp, Tier
from relay.core.policy.window import CalendarDay, Rolling24h
from relay.core.quota.reservation import Leaving, Standing, State, Tally, WallKind, wall_before
from relay.core.quota.wording import counted_text, deferral_text, never_fits_text, timestamp
from relay.core.status.report import Status
from relay.core.tenants.tenancy import Route, RouteId
from tests.contract.world import share

FIRST = date(2026, 2, 28)
NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
TIERS = ((0, 50), (2, 100), (3, 200), (14, None))
HEAD = "news.acme.example temporarily rate limited by warm-up"


def route(*tiers, advance=Advance.CALENDAR_DAYS, **walls):
    ramp = Ramp(advance, tuple(Tier(*tier) for tier in tiers or TIERS))
    return Route(RouteId("news.acme.example", "outbound"), Policy("mine", "", "", ramp, **walls))


def wall(the_route, standing, wanted=1, split=(), mail_class=None, now=NOON):
    first = Standing(first_day=FIRST.toordinal(), first_at=NOON - timedelta(days=3))
    told = {name: getattr(standing, name) for name in Standing.__slots__ if name != "at"}
    changed = {n: v for n, v in told.items() if v != getattr(Standing(), n)}
    as_of = replace(first, **changed, at=now)
    window = the_route.policy.window.at(now)
    return wall_before(the_route, window, as_of, wanted, split, mail_class)


def test_a_provider_is_named_in_the_reply_of_the_design():
    the_route = route(providers={"google": share(12.5)})
    standing = Standing(charged=30, sent=30, providers={"google": Tally(25, 25)})
    assert deferral_text(wall(the_route, standing, 1, (("google", 1),))) == (
        f"{HEAD} for google: 25 of 25 sent today (day 3, mine); "
        "next sends 2026-03-04T00:00:00Z; warmed 2026-03-14"
    )


def test_a_message_too_wide_for_a_provider_is_told_its_day():
    the_route = route(providers={"google": ProviderCap((LimitTier(0, 5), LimitTier(6, 30)))})
    found = wall(the_route, Standing(), 30, (("google", 20), ("other", 10)))
    assert deferral_text(found) == (
        f"{HEAD} for google: 20 recipients exceed today's cap of 5 (day 3, mine); "
        "fits on 2026-03-06"
    )


def test_a_message_too_wide_for_what_headroom_leaves_is_told_that_and_not_what_is_left_by_now():
    the_route = route((0, 10), (9, 20), headroom_ppm={MailClass.TRANSACTIONAL: 500_000})
    standing = Standing(charged=3, sent=3, transactional=3)
    found = wall(the_route, standing, 6, mail_class=MailClass.MARKETING)
    assert deferral_text(found) == (
        f"{HEAD}: 6 recipients exceed the 5 of today's cap that are not kept for transactional "
        "mail (day 3, mine); fits on 2026-03-09"
    )


def test_one_recipient_and_one_send_are_told_as_one():
    all_kept = route((0, 10), (9, None), headroom_ppm={MailClass.TRANSACTIONAL: 1_000_000})
    found = wall(all_kept, Standing(), 1, mail_class=MailClass.MARKETING)
    assert "1 recipient exceeds the 0 of today's cap" in deferral_text(found)
    assert counted_text(Advance.LIFETIME_SENDS, 1) == "1 lifetime send"


def test_a_message_that_no_day_of_a_provider_admits_is_told_to_be_split():
    the_route = route(providers={"google": ProviderCap((LimitTier(0, 5),))})
    found = wall(the_route, Standing(), 6, (("google", 6),))
    assert found.never_fits
    assert never_fits_text(found) == (
        "6 recipients for google in one message; mine never allows more than 5 a day for google: "
        "split it"
    )


def test_a_wall_that_a_message_never_passes_is_told_whatever_else_is_in_the_way():
    google = {"google": ProviderCap((LimitTier(0, 60),))}
    wide, to_google = Standing(), (("google", 61), ("other", 150))
    assert wall(route(providers=google), wide, 211, to_google).never_fits
    full = Standing(charged=200)
    assert wall(route(providers=google), full, 61, (("google", 61),)).never_fits
    assert wall(route(providers=google, days_off=frozenset({1})), wide, 61, to_google).never_fits
    assert not wall(route(providers=google), full, 60, (("google", 60),)).never_fits


def test_of_two_walls_that_a_message_is_too_wide_for_the_one_that_is_there_longer_is_told():
    rule = ProviderCap((LimitTier(0, 60), LimitTier(9, None)))
    found = wall(route((0, 50), (5, 99), providers={"google": rule}), Standing(), 70, (
        ("google", 61), ("other", 9),
    ))  # fmt: skip
    assert (found.provider, found.fits_on) == ("google", date(2026, 3, 9))


def test_a_wall_that_is_too_narrow_from_now_on_is_told_before_one_that_opens_tomorrow():
    falling = route((0, 80), (2, 8), providers={"google": share(25)})
    nearly_full = Standing(charged=6, sent=6)
    found = wall(falling, nearly_full, 3, (("google", 3),))
    assert deferral_text(found) == (
        f"{HEAD} for google: 3 recipients exceed today's cap of 2 (day 3, mine); split it"
    )
    hourly = route((0, 80), (2, 8), smoothing=HourlyShare(250_000))
    found = wall(hourly, nearly_full, 3)
    assert (found.kind, found.fits_from, found.never_fits) == (WallKind.HOUR, None, False)


def test_mail_that_headroom_leaves_nothing_is_not_told_to_be_split():
    the_route = route((0, 50), headroom_ppm={MailClass.TRANSACTIONAL: 10**6})
    found = wall(the_route, Standing(), mail_class=MailClass.MARKETING)
    assert found.never_fits
    assert never_fits_text(found) == "mine keeps all of every cap for transactional mail"


def test_a_full_day_opens_with_its_first_hour_that_is_not_full_yet():
    the_route = route((0, 3), smoothing=HourlyShare(10**6), window=CalendarDay("UTC", time(12, 30)))
    used = Standing(charged=3, paced=3)
    assert wall(the_route, used, now=NOON.replace(minute=10)).opens_at == NOON + timedelta(hours=1)
    idle_hour = Standing(charged=3, paced=0)
    found = wall(the_route, idle_hour, now=NOON.replace(minute=10))
    assert found.opens_at == NOON + timedelta(minutes=30)


def test_a_full_day_opens_at_midnight_where_the_next_one_has_no_cap_to_open_bit_by_bit():
    the_route = route(
        (0, 6), (3, None), advance=Advance.LIFETIME_SENDS, smoothing=Even(time(8)),
        providers={"google": share(10)},
    )  # fmt: skip
    google = {"google": Tally(1, 1)}
    standing = Standing(charged=3, sent=3, lifetime=3, paced=3, providers=google)
    found = wall(the_route, standing, 1, (("google", 1),))
    assert (found.kind, found.opens_at) == (WallKind.PROVIDER, datetime(2026, 3, 4, tzinfo=UTC))


def test_a_full_day_opens_for_a_wide_message_when_so_much_of_the_next_one_is_open():
    found = wall(route((0, 24), smoothing=Even()), Standing(charged=24, paced=24), 5)
    assert (found.kind, found.opens_at) == (WallKind.DOMAIN, datetime(2026, 3, 4, 4, tzinfo=UTC))


def rolling_with(*leaving, charged=4, **walls):
    held = tuple(Leaving(NOON + timedelta(hours=hours), *more) for hours, *more in leaving)
    the_route = route((0, 4), (4, 6), (5, 2), window=Rolling24h(), **walls)
    return the_route, Standing(charged=charged, leaving=held)


def test_a_rolling_window_opens_with_the_day_that_has_a_higher_cap():
    found = wall(*rolling_with((20, None, 4)))
    assert found.opens_at == datetime(2026, 3, 4, tzinfo=UTC)


def test_a_rolling_window_that_empties_into_a_lower_cap_opens_later():
    found = wall(*rolling_with((40, None, 1), (44, None, 2), (45, None, 3), charged=6))
    assert found.opens_at == NOON + timedelta(hours=45)


def test_a_rolling_window_opens_when_all_its_walls_do():
    google = Standing(providers={"google": Tally(2)}).providers
    the_route, standing = rolling_with(
        (1, None, 2), (5, "google", 2), (5, None, 2),
        providers={"google": ProviderCap((LimitTier(0, 2),))},
    )  # fmt: skip
    standing = replace(standing, providers=google)
    found = wall(the_route, standing, split=(("google", 1),))
    assert (found.provider, found.opens_at) == (None, NOON + timedelta(hours=5))
    assert wall(the_route, standing, split=(("other", 1),)).opens_at == NOON + timedelta(hours=1)


def test_a_message_that_caps_to_come_are_too_low_for_is_told_the_next_sends():
    found = wall(route((0, 9), (4, 3)), Standing(charged=9), 5)
    assert found.opens_at == datetime(2026, 3, 4, tzinfo=UTC)


def test_the_hour_is_named_and_the_next_one():
    found = wall(route(smoothing=HourlyShare(50_000)), Standing(charged=60, paced=10))
    assert deferral_text(found) == (
        f"{HEAD}: 10 of 10 sent this hour (day 3, mine); "
        "next sends 2026-03-03T13:00:00Z; warmed 2026-03-14"
    )


def test_a_message_wider_than_any_hour_of_today_waits_for_its_day_not_for_the_hour():
    tiers = ((0, 50), (5, 100), (9, 400))
    found = wall(route(*tiers, smoothing=HourlyShare(100_000)), Standing(), 20)
    assert (found.kind, found.is_too_wide, found.never_fits) == (WallKind.HOUR, True, False)
    assert found.opens_at == datetime(2026, 3, 4, tzinfo=UTC)
    assert deferral_text(found).endswith(
        "20 recipients exceed the 5 of an hour (day 3, mine); fits on 2026-03-09"
    )
    assert wall(route(*tiers, smoothing=HourlyShare(100_000)), Standing(), 41).never_fits


def test_an_hour_that_ends_after_its_window_opens_with_the_next_working_day():
    the_route = route(
        smoothing=HourlyShare(50_000), window=CalendarDay("UTC", time(12, 30)),
        days_off=frozenset({1}),
    )  # fmt: skip
    found = wall(the_route, Standing(charged=60, paced=100))
    assert found.window.date == date(2026, 3, 2)
    assert found.opens_at == datetime(2026, 3, 4, 12, 30, tzinfo=UTC)


def test_even_says_how_much_is_open_by_now():
    found = wall(route(smoothing=Even(time(8), time(20))), Standing(charged=66, paced=66), 2)
    assert deferral_text(found) == (
        f"{HEAD}: 66 of 67 open at this hour sent, 2 more wanted (day 3, mine); "
        "next sends 2026-03-03T12:01:12Z; warmed 2026-03-14"
    )


def test_headroom_says_whom_the_rest_is_for():
    the_route = route(headroom_ppm={MailClass.TRANSACTIONAL: 100_000})
    found = wall(the_route, Standing(charged=185, transactional=5), mail_class=MailClass.MARKETING)
    assert deferral_text(found) == (
        f"{HEAD}: 185 of 185 sent today, the rest is kept for transactional mail (day 3, mine); "
        "next sends 2026-03-04T00:00:00Z; warmed 2026-03-14"
    )


def test_headroom_stops_no_message_whose_class_is_not_known_yet():
    the_route = route(headroom_ppm={MailClass.TRANSACTIONAL: 10**6})
    assert wall(the_route, Standing(charged=199)) is None


def test_a_day_off_is_named_by_its_day():
    the_route = route(days_off=frozenset({1, 2}))
    assert deferral_text(wall(the_route, Standing())) == (
        f"{HEAD}: no sends on Tuesdays (day 3, mine); "
        "next sends 2026-03-05T00:00:00Z; warmed 2026-03-14"
    )


def test_a_route_that_is_warmed_is_not_told_the_day_that_it_was():
    the_route = route((0, 50), (3, None), providers={"google": ProviderCap((LimitTier(0, 25),))})
    standing = Standing(charged=30, sent=30, providers={"google": Tally(25, 25)})
    assert deferral_text(wall(the_route, standing, 1, (("google", 1),))) == (
        f"{HEAD} for google: 25 of 25 sent today (day 3, mine); next sends 2026-03-04T00:00:00Z"
    )
    weekends = route((0, 50), (2, None), days_off=frozenset({1, 2}))
    assert deferral_text(wall(weekends, Standing())) == (
        f"{HEAD}: no sends on Tuesdays (day 3, mine); next sends 2026-03-05T00:00:00Z"
    )


def test_a_route_that_may_not_send_yet_is_warmed_from_the_first_day_on_which_it_may():
    the_route = route(days_off=frozenset({1, 2}))
    found = wall_before(the_route, the_route.policy.window.at(NOON), Standing(at=NOON), 1)
    assert deferral_text(found) == (
        f"{HEAD}: no sends on Tuesdays (day 0, mine); "
        "next sends 2026-03-05T00:00:00Z; warmed 2026-03-19"
    )
    wide = wall_before(the_route, the_route.policy.window.at(NOON), Standing(at=NOON), 100)
    assert wide.fits_on == date(2026, 3, 7)


def test_a_fit_on_a_day_off_is_on_the_next_working_day():
    found = wall(route((0, 50), (5, 100), days_off=frozenset({3, 4})), Standing(), 70)
    assert found.fits_on == date(2026, 3, 7)


def test_the_next_sends_are_in_the_sending_hours_of_a_working_day():
    the_route = route(smoothing=Even(time(8), time(20)), days_off=frozenset({2}))
    found = wall(the_route, Standing(charged=200, paced=200), now=NOON.replace(hour=21))
    assert (found.kind, found.opens_at) == (WallKind.DOMAIN, datetime(2026, 3, 5, 8, tzinfo=UTC))


def test_sending_and_qualified_days_are_called_so():
    tiers = ((0, 10), (4, 20), (6, None))
    for advance, name in [(Advance.SENDING_DAYS, "sending"), (Advance.QUALIFIED_DAYS, "qualified")]:
        standing = Standing(charged=20, sending_days=4, qualified_days=4)
        assert deferral_text(wall(route(*tiers, advance=advance), standing)) == (
            f"{HEAD}: 20 of 20 sent today ({name} day 4, mine); "
            f"next sends 2026-03-04T00:00:00Z; cap unlimited from {name} day 6"
        )


def test_a_rolling_window_speaks_of_24_hours_and_of_what_leaves():
    leaving = (
        Leaving(NOON + timedelta(minutes=15), "google", 50),
        Leaving(NOON + timedelta(minutes=15), None, 50),
        Leaving(NOON + timedelta(hours=1), None, 150),
    )
    standing = Standing(charged=200, leaving=leaving)
    found = wall(route(window=Rolling24h()), standing, 51)
    assert deferral_text(found) == (
        f"{HEAD}: 200 of 200 sent in 24 hours, 51 more wanted (day 3, mine); "
        "next sends 2026-03-03T13:00:00Z; warmed 2026-03-14"
    )


def test_a_tier_below_goes_on_counting_from_its_start():
    the_route = route(idle=Idle(30, IdleAction.STEP_BACK))
    window = the_route.policy.window.at(NOON)
    standing = Standing(first_day=window.day, base_days=2)
    status = Status(the_route, "acme", window, standing)
    assert (status.progress, status.cap) == (2, 100)
    assert status.ends_at() == datetime(2026, 3, 15, tzinfo=UTC)


def test_the_warm_up_of_a_graduate_ended_when_it_graduated():
    window = route().policy.window.at(NOON)
    standing = Standing(first_day=window.day, graduated_at=NOON)
    assert Status(route(), "acme", window, standing).fields()["warmup_ends_at"] == timestamp(NOON)


def test_an_exempt_route_has_no_warm_up_that_ends():
    exempt = Route(RouteId("news.acme.example", "outbound"), EXEMPT)
    window = EXEMPT.window.at(NOON)
    for standing in (
        Standing(),
        Standing(first_day=FIRST.toordinal()),
        Standing(graduated_at=NOON),
    ):
        assert Status(exempt, "acme", window, standing).fields()["warmup_ends_at"] is None


@given(st.text(min_size=1), st.text(min_size=1))
def test_retries_are_spread_over_ten_minutes_by_their_seed_alone(seed, other):
    found = wall(route(), Standing(charged=200))
    spread = found.retry_at(seed) - found.opens_at
    assert timedelta(0) <= spread < timedelta(minutes=10)
    assert found.retry_at(seed) == found.retry_at(seed)


def test_seeds_do_spread():
    found = wall(route(), Standing(charged=200))
    minutes = {(found.retry_at(str(n)) - found.opens_at) // timedelta(minutes=1) for n in range(99)}
    assert minutes == set(range(10))


def test_where_the_cap_opens_bit_by_bit_retries_are_spread_over_a_tenth_of_it():
    found = wall(route(smoothing=Even()), Standing(charged=101, paced=101))
    assert isinstance(WarmupLimit(found).wall.opens_at, datetime)
    spreads = [found.retry_at(str(n)) - found.opens_at for n in range(200)]
    assert timedelta(hours=2) < max(spreads) < timedelta(hours=2, minutes=24)


def test_a_pause_has_no_time_to_come_back_at():
    paused = Standing(paused_at=NOON, reason="because")
    assert wall(route(), paused).retry_at("x") is None


def status_of(the_route, standing, now=NOON):
    window = the_route.policy.window.at(now)
    return Status(the_route, "acme", window, replace(standing, at=now))


def test_the_status_lists_providers_with_what_is_left_of_them():
    the_route = route(
        (0, 50), providers={"google": share(50), "yahoo": ProviderCap((LimitTier(0, 90),))}
    )
    standing = Standing(charged=30, sent=28, unknown=1, providers={
        "google": Tally(20, 19, 1), "other": Tally(10, 9),
    })  # fmt: skip
    assert status_of(the_route, standing).fields()["providers"] == {
        "google": {"limit": 25, "sent": 20, "remaining": 5},
        "yahoo": {"limit": 50, "sent": 0, "remaining": 20},
        "other": {"limit": 50, "sent": 9, "remaining": 20},
    }


def test_the_status_lists_every_wall_and_when_a_full_one_opens():
    the_route = route(
        (0, 50), providers={"google": share(50)}, smoothing=HourlyShare(200_000),
        headroom_ppm={MailClass.TRANSACTIONAL: 100_000},
    )  # fmt: skip
    standing = Standing(charged=26, paced=10, providers={"google": Tally(25)})
    walls = status_of(the_route, standing).fields()["walls"]
    told = [(w["wall"], w["provider"], w["used"], w["limit"], w["opens_at"]) for w in walls]
    tomorrow, hour = "2026-03-04T00:00:00Z", "2026-03-03T13:00:00Z"
    assert told == [
        ("domain", None, 26, 50, None),
        ("provider", "google", 25, 25, tomorrow),
        ("hour", None, 10, 10, hour),
        ("headroom", None, 26, 45, None),
        ("headroom", "google", 25, 23, tomorrow),
    ]


def test_the_status_tells_when_a_wall_opens_that_no_coming_day_opens():
    def opens_at(*tiers):
        the_route = route(*tiers, headroom_ppm={MailClass.TRANSACTIONAL: 10**6})
        _, headroom = status_of(the_route, Standing()).fields()["walls"]
        assert (headroom["wall"], headroom["limit"]) == ("headroom", 0)
        return headroom["opens_at"]

    assert opens_at((0, 50), (14, None)) == "2026-03-17T00:00:00Z"
    assert opens_at((0, 50), (14, 100)) is None


def test_the_status_says_why_a_ramp_went_back_until_it_is_warmed():
    idled = "restarted: 31 days without sends"
    status = status_of(route(), Standing(idled=idled))
    assert (status.state, status.fields()["reason"]) == (State.PENDING, idled)
    warmed = status_of(route(), Standing(idled=idled, first_day=1, first_at=NOON))
    assert (warmed.state, warmed.fields()["reason"]) == (State.WARMED, "")


def test_the_forecast_knows_days_off():
    the_route = route((0, 10), (2, 20), advance=Advance.SENDING_DAYS, days_off=frozenset({5, 6}))
    caps = [day["cap"] for day in status_of(the_route, Standing()).fields()["forecast"]]
    assert caps[:7] == [10, 10, 20, 20, 0, 0, 20]


def test_a_rolling_window_resets_when_the_first_sends_leave_it():
    leaving = (Leaving(NOON + timedelta(hours=7), None, 3),)
    status = status_of(route(window=Rolling24h()), Standing(charged=3, leaving=leaving))
    assert status.fields()["resets_at"] == "2026-03-03T19:00:00Z"
