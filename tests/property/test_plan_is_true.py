"""A plan is what the store really grants: both are driven day by day with the same mail.

The memory model of the store, which the scripts are held against elsewhere, is the judge.
"""

from dataclasses import replace
from datetime import date
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.core.plan.mix import divided
from relay.core.plan.plan import plan, plan_from
from relay.core.policy.policy import ANY_OTHER, MailClass
from relay.core.policy.window import Rolling24h
from relay.core.quota.course import from_standing
from relay.settings.policies import read_policies
from tests.contract.world import share
from tests.property.plan_driver import Driver
from tests.property.test_quota_machine import policies, sane

START = date(2026, 3, 26)  # three days before Berlin's summer time begins
MIX = {"google": 500_000, "yahoo": 200_000, "other": 300_000}
NAMES = sorted(MIX)


@cache
def shipped():
    return read_policies([]).policies


def drivable(made):
    """A rolling window is planned by its days, so it is driven once a day: not by the hour."""
    made = sane(made)
    return replace(made, smoothing=None) if isinstance(made.window, Rolling24h) else made


def rows_of(made):
    return [
        {each.provider: (each.sent, each.backlog, each.expired) for each in row.providers}
        for row in made.days
    ]


def driven(driver, mail, days):
    found = []
    for day in range(days):
        arrived = mail[day] if day < len(mail) else {}
        sent, waits, lost = driver.day(day, arrived)
        found.append({name: (sent[name], waits[name], lost[name]) for name in NAMES})
    return found


def assert_true(the_policy, mail, queue_days, mail_class=MailClass.MARKETING):
    made = plan(
        the_policy, mail, START, goes_on=False, queue_days=queue_days, mail_class=mail_class
    )
    driver = Driver(the_policy, START, queue_days, mail_class)
    assert rows_of(made) == driven(driver, mail, len(made.days))
    return made


def by_day(volumes):
    return [divided(volume, MIX) for volume in volumes]


@pytest.mark.parametrize("name", sorted(shipped()))
@pytest.mark.parametrize("volume", [90, 700])
def test_the_plan_of_a_shipped_policy_is_what_the_store_grants(name, volume):
    made = assert_true(shipped()[name], by_day([volume] * 12), queue_days=5)
    assert sum(row.sent for row in made.days) > 0


@pytest.mark.parametrize("name", sorted(shipped()))
def test_with_walls_of_providers_a_day_off_and_headroom_too(name):
    walled = replace(
        shipped()[name],
        providers={"google": share(40), ANY_OTHER: share(35)},
        days_off=frozenset({6}),
        headroom_ppm={MailClass.TRANSACTIONAL: 100_000},
    )
    assert_true(walled, by_day([400] * 10), queue_days=3)


days_of_mail = st.lists(
    st.fixed_dictionaries({name: st.integers(0, 12) for name in NAMES}), min_size=1, max_size=12
)


def often(examples):
    return settings(
        max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )


def check_going_on(the_policy, before, here, after):
    """The route goes along for some days; in the midst of one a plan is made from its standing."""
    the_policy, today = drivable(the_policy), len(before)
    driver = Driver(the_policy, START, queue_days=2)
    for day, mail in enumerate(before):
        driver.day(day, mail)
    early, _, _ = driver.day(today, here, slice(1))
    course = from_standing(*driver.standing())
    later = slice(None) if isinstance(the_policy.window, Rolling24h) else slice(1, None)
    whole = {name: after[0][name] + early[name] for name in NAMES}
    made = plan_from(course, [whole, *after[1:]], goes_on=False, queue_days=2)
    for ahead, row in enumerate(rows_of(made)):
        arrived = after[ahead] if ahead < len(after) else {}
        sent, waits, lost = driver.day(today + ahead, arrived, slice(None) if ahead else later)
        sent.update({} if ahead else early)
        assert row == {name: (sent[name], waits[name], lost[name]) for name in NAMES}


PLANNED = given(policies, days_of_mail, st.integers(0, 6), st.sampled_from(MailClass))
GOING_ON = given(policies, days_of_mail, days_of_mail.map(lambda days: days[0]), days_of_mail)


@often(80)
@PLANNED
def test_any_plan_is_what_the_store_grants(the_policy, mail, queue_days, mail_class):
    assert_true(drivable(the_policy), mail, queue_days, mail_class)


@pytest.mark.slow
@pytest.mark.timeout(900)
@often(500)
@PLANNED
def test_any_plan_is_what_the_store_grants_for_long(the_policy, mail, queue_days, mail_class):
    assert_true(drivable(the_policy), mail, queue_days, mail_class)


@often(80)
@GOING_ON
def test_a_plan_from_where_a_route_stands_is_true_too(the_policy, before, here, after):
    check_going_on(the_policy, before, here, after)


@pytest.mark.slow
@pytest.mark.timeout(900)
@often(500)
@GOING_ON
def test_a_plan_from_where_a_route_stands_is_true_for_long(the_policy, before, here, after):
    check_going_on(the_policy, before, here, after)
