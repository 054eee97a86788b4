"""What this process remembers: how much, how long, and what goes first."""

from __future__ import annotations

import pytest

from relay.core.providers import STALE_S, MxFinding, MxKind
from relay.providers.recent import JITTER, UNKNOWN_S, Recent
from tests.unit.providers.given import TABLE, HandTime

GOOGLE = MxFinding(MxKind.MX, ("aspmx.l.google.com",), 600.0)
NULL = MxFinding(MxKind.NULL, (), 600.0)
UNKNOWN = MxFinding(MxKind.UNKNOWN, why="no answer")


@pytest.fixture
def clock() -> HandTime:
    return HandTime()


@pytest.fixture
def recent(clock) -> Recent:
    return Recent(3, clock)


def test_the_one_that_was_not_used_for_longest_goes_first(recent):
    for domain in "abc":
        recent.learn(domain, GOOGLE)
    recent.get("a")
    recent.learn("d", GOOGLE)
    assert [domain for domain in "abcd" if recent.get(domain)] == ["a", "c", "d"]
    assert len(recent) == 3


def test_learning_again_is_use_too(recent):
    for domain in "abc":
        recent.learn(domain, GOOGLE)
    recent.learn("a", NULL)
    recent.learn("d", GOOGLE)
    assert recent.get("b") is None
    assert recent.get("a").finding == NULL


def test_an_mx_is_kept_for_a_day_when_it_is_stale(recent, clock):
    known = recent.learn("a", GOOGLE)
    clock.move(600)
    assert not recent.is_fresh(known)
    assert recent.get("a") is known
    clock.move(STALE_S + 1)
    assert recent.get("a") is None
    assert len(recent) == 0


def test_what_means_other_in_any_case_is_not_kept_when_it_is_stale(recent, clock):
    recent.learn("a", NULL)
    clock.move(601)
    assert recent.get("a") is None


def test_answers_that_came_together_do_not_all_expire_together(clock):
    recent = Recent(1000, clock)
    all_of_them = [recent.learn(f"d{n}", GOOGLE) for n in range(500)]
    ends = {known.fresh_until - clock.now for known in all_of_them}
    assert 600 * (1 - JITTER) <= min(ends) < 600 * (1 - JITTER) + 5
    assert 595 < max(ends) <= 600


def test_no_answer_makes_an_older_one_last_another_minute_but_not_for_ever(recent, clock):
    recent.learn("a", GOOGLE)
    clock.move(600)
    known = recent.learn("a", UNKNOWN)
    assert known.finding == GOOGLE
    assert recent.is_fresh(known)
    clock.move(UNKNOWN_S)
    assert not recent.is_fresh(known)
    clock.move(STALE_S)
    assert recent.learn("a", UNKNOWN).finding == UNKNOWN


def test_no_answer_alone_is_remembered_for_a_minute(recent, clock):
    assert recent.is_fresh(recent.learn("a", UNKNOWN))
    clock.move(UNKNOWN_S + 1)
    assert recent.get("a") is None


def test_what_is_stale_already_when_it_comes_is_not_fresh(recent):
    known = recent.learn("a", MxFinding(MxKind.MX, ("aspmx.l.google.com",), -100.0))
    assert not recent.is_fresh(known)
    assert recent.get("a").provider_in(TABLE) == "google"
