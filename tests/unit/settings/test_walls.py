"""Providers, smoothing, headroom, days off and idleness: what arrives, and what is refused."""

from __future__ import annotations

from datetime import time

import pytest

from relay.core.policy.limits import LimitTier, ProviderCap, Share
from relay.core.policy.pacing import Even, HourlyShare
from relay.core.policy.policy import Idle, IdleAction, MailClass
from relay.core.policy.ramp import Advance
from relay.core.policy.window import CalendarDay, Rolling24h
from relay.settings.load import load_config
from relay.settings.percent import parse_percent, percent_text
from relay.settings.policies import read_policy
from relay.settings.problems import ConfigProblems, Wrong
from tests.unit.settings.told import CONFIG, POLICY, edited, policy_problems, unmarked

ALL = """\
providers:
  google: {share: 50%}
  yahoo: {cap: 40}
  apple: {tiers: [{from: 0, cap: 5}, {from: 7, cap: unlimited}]}
  default: {share: 12.5%}
smoothing: {even: {from: "08:00", to: "20:00", burst: 3}}
headroom: {transactional: 10%}
days_off: [saturday, sunday]
idle: {after: 30 days, do: step-back}
"""


def read(folder, more: str, policy: str = POLICY):
    path = folder / "mine.yaml"
    path.write_text(policy + more, encoding="utf-8")
    found, problems = read_policy(path)
    assert problems == []
    return found


def test_every_wall_arrives(tmp_path):
    policy = read(tmp_path, ALL)
    assert policy.providers == {
        "google": ProviderCap((LimitTier(0, Share(500_000)),)),
        "yahoo": ProviderCap((LimitTier(0, 40),)),
        "apple": ProviderCap((LimitTier(0, 5), LimitTier(7, None))),
        "default": ProviderCap((LimitTier(0, Share(125_000)),)),
    }
    assert policy.smoothing == Even(time(8), time(20), 3)
    assert policy.headroom_ppm == {MailClass.TRANSACTIONAL: 100_000}
    assert policy.days_off == {5, 6}
    assert policy.idle == Idle(30, IdleAction.STEP_BACK)


def test_without_them_there_are_none(tmp_path):
    policy = read(tmp_path, "")
    assert (policy.providers, policy.smoothing, policy.headroom_ppm) == ({}, None, {})
    assert (policy.days_off, policy.idle) == (frozenset(), None)
    assert policy.ramp.qualify_ppm == 500_000
    assert policy.window == CalendarDay()


@pytest.mark.parametrize(
    ("text", "smoothing"),
    [
        ("none", None),
        ("even", Even()),
        ("{even: {}}", Even()),
        ("{even: {burst: 7}}", Even(burst=7)),
        ("{hourly_share: 20%}", HourlyShare(200_000)),
    ],
)
def test_each_form_of_smoothing(tmp_path, text, smoothing):
    assert read(tmp_path, f"smoothing: {text}\n").smoothing == smoothing


@pytest.mark.parametrize("advance", Advance)
def test_each_advance(tmp_path, advance):
    policy = edited(POLICY, "calendar-days", advance.value)
    assert read(tmp_path, "", policy).ramp.advance == advance


def test_the_share_that_qualifies(tmp_path):
    policy = edited(POLICY, "advance: calendar-days", "qualify: 62.5%\n  advance: qualified-days")
    assert read(tmp_path, "", policy).ramp.qualify_ppm == 625_000


def test_a_rolling_window_has_a_zone_for_its_days(tmp_path):
    policy = edited(
        POLICY, "{kind: calendar-day, timezone: UTC,", "{kind: rolling-24h, timezone: Asia/Tokyo,"
    )
    assert read(tmp_path, "", policy).window == Rolling24h("Asia/Tokyo")


PERCENT = "is not a percentage above 0 and up to 100%, such as 12.5%"
WRONG = [
    (
        "{share: 50%}",
        "{share: 50%, «cap: 3}",
        '"cap" stands beside "share" (keep one of share, cap and tiers)',
    ),
    ("google: {share: 50%}", "«google: {}", "google has none of share, cap and tiers"),
    ("{share: 50%}", "«50%", 'google: must be a mapping of keys and values (not "50%")'),
    ("{share: 50%}", "{share: «0.5}", f'share: "0.5" {PERCENT}'),
    ("{share: 50%}", "{share: «50}", f'share: "50" {PERCENT}'),
    ("{share: 50%}", "{share: «101%}", f'share: "101%" {PERCENT}'),
    ("{share: 50%}", "{share: «0.00001%}", f'share: "0.00001%" {PERCENT}'),
    ("{cap: 40}", "{cap: «0}", "cap: 0 is not between 1 and 1000000000000"),
    (
        "google: {",
        "«Google: {",
        "\"Google\" is not a provider name: use up to 32 of a-z, 0-9 and '-'",
    ),
    ("{from: 0, cap: 5}", "{from: «1, cap: 5}", "the first tier must be from 0, not 1"),
    (
        "{from: 7, cap: unlimited}",
        "{from: «0, cap: 3}",
        "from: 0 does not rise: the tier before is from 0",
    ),
    ("{from: 0, cap: 5}", "{from: 0, cap: «unlimited}", "only the last tier can be unlimited"),
    (
        'smoothing: {even: {from: "08:00", to: "20:00", burst: 3}}',
        "smoothing: «evn",
        'smoothing: "evn" is not none, even or a mapping (did you mean "even"?)',
    ),
    (
        'smoothing: {even: {from: "08:00", to: "20:00", burst: 3}}',
        "«smoothing: {}",
        "smoothing has none of hourly_share and even",
    ),
    (
        "smoothing: {even",
        "smoothing: {hourly_share: 5%, «even",
        '"even" stands beside "hourly_share" (keep one of hourly_share and even)',
    ),
    ('smoothing: {even: {from: "08:00", ', "smoothing: {«even: {", '"from" is missing in even'),
    ('"08:00"', "«8", 'from: "8" is not a time of day, such as "07:00"'),
    ('"20:00"', '«"25:00"', 'to: "25:00" is not a time of day, such as "07:00"'),
    (
        'to: "20:00"',
        'to: «"08:00"',
        (
            'to: "08:00" is not after from within a window that starts at "00:00" '
            "(move window.starts, or the hours)"
        ),
    ),
    ("burst: 3", "burst: «0", "burst: 0 is not between 1 and 1000000000000"),
    (
        "headroom: {transactional: 10%}",
        "headroom: {transactional: 60%, marketing: «41%}",
        "headroom: more than 100% of the cap is kept",
    ),
    (
        "headroom: {transactional: 10%}",
        "headroom: {«bulk: 10%}",
        'unknown key "bulk" in headroom (known: transactional, marketing)',
    ),
    (
        "[saturday, sunday]",
        "[saturday, «saturday]",
        'the day "saturday" stands in line 17 already',
    ),
    (
        "sunday]",
        "«sonday]",
        (
            'days_off: "sonday" is not monday, tuesday, wednesday, thursday, friday, saturday or '
            'sunday (did you mean "sunday"?)'
        ),
    ),
    ("sunday]", "«[sunday]]", "days_off: must be text, not a list"),
    ("sunday]", "«{sunday: 1}]", "days_off: must be text, not a mapping"),
    (
        "[saturday, sunday]",
        "«[monday, tuesday, wednesday, thursday, friday, saturday, sunday]",
        "days_off: has more than 6 entries",
    ),
    ("30 days", "«36h", 'after: "36h" is not a number of whole days, such as 30 days'),
    (
        "step-back",
        "«stepback",
        'do: "stepback" is not restart or step-back (did you mean "step-back"?)',
    ),
]


@pytest.mark.parametrize(("old", "new", "told"), WRONG)
def test_a_single_fault_is_told_once_at_its_place(tmp_path, old, new, told):
    text, places = unmarked(POLICY + edited(ALL, old, new))
    assert policy_problems(tmp_path, text) == [(*places[0], told)]


def test_hours_may_go_over_midnight_where_the_window_does(tmp_path):
    night = 'smoothing: {even: {from: "22:00", to: "06:00"}}\n'
    policy = edited(POLICY, 'starts: "00:00"', 'starts: "12:00"')
    assert read(tmp_path, night, policy).smoothing == Even(time(22), time(6))
    whole = 'smoothing: {even: {from: "12:00", to: "12:00"}}\n'
    assert read(tmp_path, whole, policy).smoothing == Even(time(12), time(12))


@pytest.mark.parametrize(
    ("text", "ppm"), [("50%", 500_000), ("0.0001%", 1), ("100 %", 1_000_000), ("12.5%", 125_000)]
)
def test_percent_is_read_exactly(text, ppm):
    assert parse_percent(text) == ppm
    assert parse_percent(percent_text(ppm)) == ppm


@pytest.mark.parametrize("text", ["", "%", "1e2%", "-1%", "50", "1.23456%", "1000%", "٥%"])
def test_what_is_no_percent_is_refused(text):
    with pytest.raises(Wrong):
        parse_percent(text)


@pytest.mark.parametrize(
    ("providers", "told"),
    [
        (
            "{gogle: {share: 5%}, other: {share: 5%}, default: {share: 5%}}",
            'unknown provider "gogle" (did you mean "google"?)',
        ),
        ("[google]", "providers: must be a mapping of keys and values (not a list)"),
        ("{gmail.com: {share: 5%}}", '"gmail.com" is not a provider name: '),
    ],
)
def test_a_config_refuses_a_provider_that_nobody_knows(tmp_path, providers, told):
    (tmp_path / "policies").mkdir()
    more = f"providers: {providers}\n"
    (tmp_path / "policies" / "mine.yaml").write_text(POLICY + more, encoding="utf-8")
    config = tmp_path / "relay.yaml"
    config.write_text(edited(CONFIG, "calendar-14-day", "mine"), encoding="utf-8")
    with pytest.raises(ConfigProblems) as refused:
        load_config(config, {})
    assert told in str(refused.value)
    assert len(refused.value.problems) == 1
