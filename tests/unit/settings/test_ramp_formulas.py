"""Ramps by formula become tiers when the policy is read; what is wrong is told at its place."""

from datetime import date

import pytest

from relay.core.policy.ramp import Tier
from relay.core.policy.window import CalendarDay
from relay.core.quota.reservation import Standing, State, state_of
from relay.core.tenants.tenancy import Route, RouteId
from relay.settings.policies import read_policy
from tests.unit.settings.told import policy_problems, unmarked

HEAD = "description: For tests\nramp:\n  advance: calendar-days\n  "
FACTOR = "is not a number such as 1.3, with at most 6 decimals"


def read(folder, ramp, advance="calendar-days"):
    path = folder / "mine.yaml"
    path.write_text(HEAD.replace("calendar-days", advance) + ramp + "\n", encoding="utf-8")
    policy, problems = read_policy(path)
    assert not problems, [str(problem) for problem in problems]
    return policy


def caps(folder, ramp, days):
    made = read(folder, ramp).ramp
    return [made.tier_at(day).cap for day in range(days)]


@pytest.mark.parametrize("factor", ["1.3", '"1.3"', "1.300000", "'1.30'"])
def test_growth_is_the_formula_of_the_design(tmp_path, factor):
    growth = f"growth: {{start: 300, factor: {factor}, days: 21, then: unlimited}}"
    found = caps(tmp_path, growth, 23)
    assert found[:6] == [300, 390, 507, 659, 857, 1114]
    assert found[20:] == [57015, None, None]


@pytest.mark.parametrize(
    ("ramp", "expected"),
    [
        ("growth: {start: 10, factor: 2, days: 3, then: unlimited}", [10, 20, 40, None, None]),
        ("growth: {start: 10, factor: 2, days: 3, then: hold}", [10, 20, 40, 40, 40]),
        ("growth: {start: 10, factor: 2, days: 1, then: hold}", [10, 10]),
        (
            "growth: {start: 10, factor: 2, days: 3, then: {growth: 1.5, until: 90}}",
            [10, 20, 40, 60, 90, None],
        ),
        (
            "growth: {start: 10, factor: 2, days: 4, most: 30, then: unlimited}",
            [10, 20, 30, 30, None],
        ),
        ("growth: {start: 10, factor: 2, days: 4, most: 30, then: hold}", [10, 20, 30, 30, 30]),
        ("linear: {start: 50, end: 2000, days: 30, then: hold}", [50, 117, 184, 251, 318, 386]),
        ("linear: {start: 10, end: 20, days: 3, then: unlimited}", [10, 15, 20, None]),
        ("linear: {start: 10, end: 20, days: 3, most: 15, then: hold}", [10, 15, 15, 15]),
        (
            "linear: {start: 10, end: 20, days: 3, then: {growth: 2, until: 50}}",
            [10, 15, 20, 40, None],
        ),
        (
            "tiers: [{from: 0, cap: 10}, {from: 2, cap: 30}]\n  then: {growth: 1.5, until: 70}",
            [10, 10, 30, 45, 68, None],  # 67.5 goes up
        ),
        ("tiers: [{from: 0, cap: 10}, {from: 2, cap: 30}]\n  then: unlimited", [10, 10, 30, None]),
        ("tiers: [{from: 0, cap: 10}, {from: 2, cap: 30}]\n  then: hold", [10, 10, 30, 30, 30]),
        (
            "tiers: [{from: 0, cap: 10}, {from: 2, cap: unlimited}]\n  hold_at: 30",
            [10, 10, 30, 30, 30],
        ),
        (
            "hold_at: 50\n  growth: {start: 10, factor: 2, days: 5, then: unlimited}",
            [10, 20, 40, 50, 50, 50, 50],
        ),
    ],
)
def test_day_by_day(tmp_path, ramp, expected):
    assert caps(tmp_path, ramp, len(expected)) == expected


def test_a_formula_leaves_nothing_but_tiers(tmp_path):
    made = read(tmp_path, "growth: {start: 1, factor: 1.2, days: 6, then: unlimited}").ramp
    # 1, 1.2, 1.44, 1.728, 2.07, 2.49
    assert made.tiers == (Tier(0, 1), Tier(3, 2), Tier(6, None))
    assert made.warmed_at() == 6


def test_holding_keeps_a_route_warming_for_good_and_bounds_a_message(tmp_path):
    policy = read(tmp_path, "tiers: [{from: 0, cap: 10}, {from: 2, cap: unlimited}]\n  hold_at: 30")
    route = Route(RouteId("news.acme.example", "outbound"), policy)
    window = CalendarDay().of(date(2026, 3, 1))
    long_ago = Standing(first_day=window.day - 1000)
    assert state_of(route, window, long_ago) is State.WARMING
    assert max(tier.cap for tier in policy.ramp.tiers) == 30
    assert policy.ramp.warmed_at() is None


def test_holding_is_for_lifetime_sends_too(tmp_path):
    tiers = "tiers: [{from: 0, cap: 10}, {from: 500, cap: unlimited}]\n  hold_at: 30"
    assert read(tmp_path, tiers, "lifetime-sends").ramp.tier_at(10**9).cap == 30


def test_the_longest_ramp_that_is_allowed(tmp_path):
    made = read(tmp_path, "linear: {start: 1, end: 999, days: 999, then: unlimited}").ramp
    assert len(made.tiers) == 1000
    assert made.warmed_at() == 999


GROWTH = "growth: {start: 300, factor: 1.3, days: 21, then: unlimited}"
WRONG = [
    (
        f"tiers: [{{from: 0, cap: 1}}]\n  «{GROWTH}",
        '"growth" stands beside "tiers" (a ramp has one of tiers, growth and linear)',
    ),
    (
        f"{GROWTH}\n  «linear: {{start: 1, end: 2, days: 2, then: hold}}",
        '"linear" stands beside "growth" (a ramp has one of tiers, growth and linear)',
    ),
    (f"{GROWTH}\n  «then: hold", '"then" stands beside "growth" (move it into growth)'),
    (
        "tiers: [{from: 0, cap: unlimited}]\n  «then: hold",
        "nothing comes after an unlimited tier",
    ),
    ("growth: {start: 300, factor: «0.9, days: 3, then: hold}", "factor: 0.9 is not above 1 and at most 100 (1.3 is 30 % a day more)"),
    ("growth: {start: 300, factor: «1, days: 3, then: hold}", "factor: 1 is not above 1 and at most 100 (1.3 is 30 % a day more)"),
    ("growth: {start: 300, factor: «130, days: 3, then: hold}", "factor: 130 is not above 1 and at most 100 (1.3 is 30 % a day more)"),
    ("growth: {start: 300, factor: «30%, days: 3, then: hold}", f'factor: "30%" {FACTOR}'),
    ("growth: {start: 300, factor: «1.3000001, days: 3, then: hold}", f"factor: 1.3000001 {FACTOR}"),
    ("growth: {start: 300, factor: «.inf, days: 3, then: hold}", f"factor: inf {FACTOR}"),
    ("growth: {start: 300, factor: «true, days: 3, then: hold}", "factor: true is not a number, such as 1.3"),
    ("growth: {start: 300, factor: «, days: 3, then: hold}", "factor: nothing is not a number, such as 1.3"),
    ("growth: {start: 300, factor: «[1.3], days: 3, then: hold}", "factor: a list is not a number, such as 1.3"),
    ("growth: {start: «0, factor: 1.3, days: 3, then: hold}", "start: 0 is not between 1 and 1000000000000"),
    ("growth: {start: 300, factor: 1.3, days: «0, then: hold}", "days: 0 is not between 1 and 999"),
    ("growth: {start: 300, factor: 1.3, days: «1000, then: hold}", "days: 1000 is not between 1 and 999"),
    ("growth: {start: 300, factor: 1.3, days: «400, then: hold}", "days: the cap of day 84 would be above 1000000000000 (write fewer days, or add most)"),
    ("«growth: {start: 300, factor: 1.3, days: 3}", '"then" is missing in growth'),
    ("growth: {start: 300, factor: 1.3, days: 3, then: «later}", 'then: "later" is not unlimited or hold (or a mapping: {growth: 1.2, until: 100000})'),
    ("growth: {start: 300, factor: 1.3, days: 3, then: «unlimted}", 'then: "unlimted" is not unlimited or hold (did you mean "unlimited"?)'),
    ("growth: {start: 300, factor: 1.3, days: 3, then: «5}", "then: must be unlimited or hold, or a mapping of growth and until"),
    ("growth: {start: 300, factor: 1.3, days: 3, then: «}", "then: must be unlimited or hold, or a mapping of growth and until"),
    ("growth: {start: 300, factor: 1.3, days: 3, «then: {growth: 1.3}}", '"until" is missing in then'),
    ("growth: {start: 300, factor: 1.3, days: 3, then: {growth: «x, until: 999}}", f'growth: "x" {FACTOR}'),
    ("growth: {start: 300, factor: 1.3, days: 3, then: {growth: 1.3, until: 999, «to: 1}}", 'unknown key "to" in then (known: growth, until)'),
    ("growth:\n    start: 300\n    factor: 1.3\n    days: 3\n    then:\n      growth: 1.2\n      until: «many", 'until: "many" is not a whole number'),
    ("growth:\n    start: 300\n    factor: 1.3\n    days: 3\n    then:\n      growth: 1.2\n      until: 999\n      «untl: 9", 'unknown key "untl" in then (did you mean "until"?)'),
    ("tiers: [{from: 0, cap: 9}]\n  then:\n    growth: «0.9\n    until: 50", "growth: 0.9 is not above 1 and at most 100 (1.3 is 30 % a day more)"),
    ("linear: {start: 50, end: 90, days: 3, then: {growth: 2, until: «0}}", "until: 0 is not between 1 and 1000000000000"),
    ("growth: {start: 300, factor: 1.3, days: 3, then: {growth: 1.3, until: «507}}", "until: 507 is not above the last cap, 507 (write then: unlimited for no soft landing)"),
    ("growth: {start: 300, factor: 1.3, days: 3, then: «{growth: 1.000001, until: 9999}}", "then: the ramp would have more than 1000 tiers (write a larger growth, or a lower until)"),
    ("growth: {start: 300, factor: 1.3, days: 3, most: «200, then: hold}", "most: 200 is below start: 300"),
    ("growth: {start: 300, factor: 1.3, days: 3, «cap: 3, then: hold}", 'unknown key "cap" in growth (known: start, factor, days, then, most)'),
    ("growth: «[300, 1.3]", "growth: must be a mapping of keys and values (not a list)"),
    ("linear: {start: 50, end: «40, days: 3, then: hold}", "end: 40 is below start: 50"),
    ("linear: {start: 50, end: 90, days: «1, then: hold}", "days: 1 is not between 2 and 999"),
    ("linear: {start: 50, end: 90, days: 3, most: «9, then: hold}", "most: 9 is below start: 50"),
    ("linear: {start: 50, end: 90, days: 3, then: {growth: 2, until: «80}}", "until: 80 is not above the last cap, 90 (write then: unlimited for no soft landing)"),
    ("tiers: [{from: 0, cap: 9}]\n  then: {growth: 2, until: «9}", "until: 9 is not above the last cap, 9 (write then: unlimited for no soft landing)"),
    ("tiers: [{from: 0, cap: 9}]\n  hold_at: «0", "hold_at: 0 is not between 1 and 1000000000000"),
    ("tiers: [{from: 0, cap: 9}]\n  hold_at: «unlimited", 'hold_at: "unlimited" is not a whole number'),
    ("tiers: «[]", "tiers: must not be empty"),
]  # fmt: skip


@pytest.mark.parametrize(("ramp", "told"), WRONG)
def test_a_single_fault_is_told_once_at_its_place(tmp_path, ramp, told):
    text, places = unmarked(HEAD + ramp + "\n")
    assert policy_problems(tmp_path, text) == [(*places[0], told)]


def test_a_ramp_of_no_form_is_told_at_its_key(tmp_path):
    told = "ramp has none of tiers, growth and linear"
    assert policy_problems(tmp_path, f"{HEAD}hold_at: 5\n") == [(2, 1, told)]


@pytest.mark.parametrize(
    ("name", "ramp"),
    [
        ("growth", "«growth: {start: 300, factor: 1.3, days: 21, then: unlimited}"),
        ("linear", "«linear: {start: 1, end: 2, days: 2, then: hold}"),
        ("then", "tiers: [{from: 0, cap: 9}]\n  «then: {growth: 2, until: 90}"),
    ],
)
def test_a_formula_of_days_is_refused_for_lifetime_sends(tmp_path, name, ramp):
    text, places = unmarked(HEAD.replace("calendar-days", "lifetime-sends") + ramp + "\n")
    told = (
        f'"{name}" counts days, and this ramp lifetime-sends '
        "(write tiers out, or choose another advance)"
    )
    assert policy_problems(tmp_path, text) == [(*places[0], told)]


def test_a_ramp_of_a_thousand_tiers_has_no_room_for_more(tmp_path):
    tiers = ", ".join(f"{{from: {day}, cap: {day + 1}}}" for day in range(1000))
    text, places = unmarked(f"{HEAD}tiers: [{tiers}]\n  then: «unlimited\n")
    told = (
        "then: the ramp would have more than 1000 tiers (write a larger growth, or a lower until)"
    )
    assert policy_problems(tmp_path, text) == [(*places[0], told)]
