"""Every problem of a policy is told at its exact place, in plain words."""

import pytest

from tests.unit.settings.told import POLICY, edited, policy_problems, unmarked

NOT_YET = "is not built yet in this version"
EMPTY = "must be a mapping of keys and values (it has no value)"

SINGLE = [
    ("description: For tests", "«source: none", '"description" is missing'),
    ("description: For tests", 'description: «""', "description: is empty"),
    ("excess: defer", "«exces: defer", 'unknown key "exces" (did you mean "excess"?)'),
    ("excess: defer", "excess: «hold", f'excess: "hold" {NOT_YET} (use defer or overflow)'),
    (
        "excess: defer",
        "excess: «overflows",
        'excess: "overflows" is not defer or overflow (did you mean "overflow"?)',
    ),
    (
        "excess: defer",
        "«sticky: {}",
        "sticky says which route a campaign keeps to, and this policy never leaves its own (say excess: overflow, or leave it out)",
    ),
    (
        "excess: defer",
        "excess: overflow\nrecipients: split\n«sticky: {}",
        "sticky stands beside recipients: split, where the route is chosen before the header comes (keep one of them)",
    ),
    (
        "excess: defer",
        "excess: overflow\nsticky: {header: «'List-Id:'}",
        'header: "List-Id:" is not the name of a header field, such as X-Warmup-Campaign',
    ),
    (
        "excess: defer",
        "excess: overflow\nsticky: {keep: «30 min}",
        'keep: "30 min" is not between 1 hour and 90 days',
    ),
    (
        "excess: defer",
        "excess: overflow\nsticky: {keep: «91 days}",
        'keep: "91 days" is not between 1 hour and 90 days',
    ),
    (
        "excess: defer",
        "recipients: «splits",
        'recipients: "splits" is not whole or split (did you mean "split"?)',
    ),
    *[
        ("excess: defer", f"«{key}: {{}}", f'"{key}" {NOT_YET} (leave it out)')
        for key in (
            "hold",
            "guard",
            "adaptive",
        )
    ],
    (
        "advance: calendar-days",
        "advance: «calender-days",
        'advance: "calender-days" is not calendar-days, sending-days, qualified-days or lifetime-sends (did you mean "calendar-days"?)',
    ),
    (
        "advance: calendar-days",
        "qualify: «0%\n  advance: qualified-days",
        'qualify: "0%" is not a percentage above 0 and up to 100%, such as 12.5%',
    ),
    *[
        (
            "advance: calendar-days",
            f"«qualify: 80%\n  advance: {advance}",
            f"qualify says which days are qualified ones, and this ramp counts {advance} (say advance: qualified-days, or leave it out)",
        )
        for advance in ("calendar-days", "sending-days", "lifetime-sends")
    ],
    *[
        ("excess: defer", f"{key}:«", f"{key}: {EMPTY}")
        for key in ("sticky", "smoothing", "idle", "headroom", "providers")
    ],
    ("excess: defer", "smoothing: {even: «}", f"even: {EMPTY}"),
    (
        "kind: calendar-day,",
        "kind: «rolling-24,",
        'kind: "rolling-24" is not calendar-day or rolling-24h (did you mean "rolling-24h"?)',
    ),
    (
        "timezone: UTC",
        "timezone: «Europe/Berln",
        'timezone: "Europe/Berln" is not an IANA time zone, such as UTC or Europe/Berlin (did you mean "Europe/Berlin"?)',
    ),
    (
        "timezone: UTC",
        "timezone: «../etc/passwd",
        'timezone: "../etc/passwd" is not an IANA time zone, such as UTC or Europe/Berlin',
    ),
    (
        "timezone: UTC",
        "timezone: «europe/berlin",
        'timezone: "europe/berlin" is not an IANA time zone, such as UTC or Europe/Berlin (did you mean "Europe/Berlin"?)',
    ),
    (
        'starts: "00:00"',
        'starts: «"24:00"',
        'starts: "24:00" is not a time of day, such as "07:00"',
    ),
    ('starts: "00:00"', "starts: «7", 'starts: "7" is not a time of day, such as "07:00"'),
    ('starts: "00:00"', "starts: «0800", 'starts: "800" is not a time of day, such as "07:00"'),
    ("{from: 0, cap: 50}", "{from: «1, cap: 50}", "the first tier must be from 0, not 1"),
    (
        "{from: 2, cap: 100}",
        "{from: «0, cap: 100}",
        "from: 0 does not rise: the tier before is from 0",
    ),
    (
        "{from: 5, cap: unlimited}",
        "{from: «2, cap: unlimited}",
        "from: 2 does not rise: the tier before is from 2",
    ),
    ("{from: 5, cap: unlimited}", "{from: «40000, cap: 1}", "from: 40000 is more than 36500 days"),
    ("{from: 0, cap: 50}", "{from: «-1, cap: 50}", "from: -1 is not between 0 and 1000000000000"),
    ("cap: 100", "cap: «unlimited", "only the last tier can be unlimited"),
    (
        "cap: 100",
        "cap: «unlimted",
        'cap: "unlimted" is neither a whole number nor unlimited (did you mean "unlimited"?)',
    ),
    ("cap: 100", "cap: «0", "cap: 0 is not between 1 and 1000000000000"),
    ("cap: 100", "cap: «1.5", "cap: 1.5 is neither a whole number nor unlimited"),
    ("cap: 100", "cap: «true", "cap: true is neither a whole number nor unlimited"),
    ("cap: 100", "cap: «", "cap: nothing is neither a whole number nor unlimited"),
    ("cap: 100", "cap: 100, «providers: {}", f'"providers" {NOT_YET} (leave it out)'),
    ("cap: 100", "cap: 100, «name: x", 'unknown key "name" in tiers (known: from, cap)'),
]


@pytest.mark.parametrize(("old", "new", "told"), SINGLE)
def test_a_single_fault_is_told_once_at_its_place(tmp_path, old, new, told):
    text, places = unmarked(edited(POLICY, old, new))

    assert policy_problems(tmp_path, text) == [(*places[0], told)]


@pytest.mark.parametrize("form", ["growth", "linear"])
def test_a_formula_without_a_value_is_told_at_its_place(tmp_path, form):
    text, places = unmarked(
        f"description: For tests\nramp:\n  advance: calendar-days\n  {form}:«\n"
    )

    assert policy_problems(tmp_path, text) == [(*places[0], f"{form}: {EMPTY}")]


def test_a_policy_without_a_fault_has_no_problems(tmp_path):
    assert policy_problems(tmp_path, POLICY) == []


def test_caps_may_go_down_and_nothing_is_said(tmp_path):
    assert policy_problems(tmp_path, edited(POLICY, "cap: 100", "cap: 20")) == []


def test_lifetime_thresholds_may_be_high(tmp_path):
    text = edited(POLICY, "calendar-days", "lifetime-sends")

    assert policy_problems(tmp_path, edited(text, "from: 5", "from: 40000")) == []


def test_a_wrong_order_is_told_beside_another_fault(tmp_path):
    text, places = unmarked(
        edited(edited(POLICY, "from: 2", "from: «0"), "excess: defer", "excess: «later")
    )

    assert [problem[:2] for problem in policy_problems(tmp_path, text)] == places


def test_braces_in_a_policy_are_no_reference_to_the_environment(tmp_path):
    assert policy_problems(tmp_path, edited(POLICY, "For tests", "'${HOME} of tests'")) == []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("exempt.yaml", 'the policy name "exempt" is reserved (rename the file)'),
        ("mine.yml", "the name of a policy file must end in .yaml"),
        (
            "my own.yaml",
            "the file name \"my own\" is not a name: use up to 64 letters, digits, '.', '_' and '-'",
        ),
    ],
)
def test_a_name_that_no_policy_can_have_is_told_at_the_start(tmp_path, name, told):
    assert policy_problems(tmp_path, POLICY, name) == [(1, 1, told)]
