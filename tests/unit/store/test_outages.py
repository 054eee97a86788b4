"""What a failing store writes to the log."""

from __future__ import annotations

import logging

import pytest

from relay.store.connections import outages
from relay.store.connections.outages import Outages


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, "relay.store")
    return lambda: [record.getMessage() for record in caplog.records]


def test_an_outage_is_told_when_it_begins_and_when_it_ends(lines):
    found = Outages()
    for _ in range(100):
        found.failed("store", ConnectionError("refused"))
    found.ended("store")
    first, last = lines()
    assert first == "the store fails, mail is deferred: ConnectionError: refused"
    assert last.startswith("the store works again after 0.0 s")


def test_a_thing_that_did_not_fail_is_not_told_of(lines):
    Outages().ended("store")
    assert lines() == []


def test_a_failure_without_words_is_a_missed_deadline(lines):
    Outages().failed("store", TimeoutError())
    assert lines() == ["the store fails, mail is deferred: TimeoutError: no answer in time"]


def test_a_failure_that_comes_and_goes_is_not_told_each_time(lines, monkeypatch):
    found = Outages()
    for _ in range(100):
        found.failed("reserve", ConnectionError("full"))
        found.ended("reserve")
    assert sum("fails" in line for line in lines()) == 1
    monkeypatch.setattr(outages, "QUIET_S", 0.0)
    found.failed("reserve", ConnectionError("full"))
    assert sum("fails" in line for line in lines()) == 2


def test_each_end_that_is_told_has_a_beginning_that_was(lines):
    found = Outages()
    for _ in range(100):
        found.failed("store", ConnectionError("refused"))
        found.ended("store")
    assert ["fails" in line for line in lines()] == [True, False]


def test_an_outage_soon_after_another_is_told_once_it_has_lasted(lines, monkeypatch):
    found = Outages()
    found.failed("store", TimeoutError())
    found.ended("store")
    found.failed("store", ConnectionError("refused"))
    monkeypatch.setattr(outages, "QUIET_S", 0.0)
    for _ in range(100):
        found.failed("store", ConnectionError("refused"))
    found.ended("store")
    assert len(lines()) == 4
    assert lines()[2] == "the store fails, mail is deferred: ConnectionError: refused"


def test_two_things_fail_apart(lines):
    found = Outages()
    found.failed("store", TimeoutError())
    found.failed("reserve", ConnectionError("full"))
    assert len(lines()) == 2
