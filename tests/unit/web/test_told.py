"""The text of a status: kept or not, it is that of now."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.policy.pacing import Even
from relay.core.policy.window import Rolling24h, leaves_at
from relay.core.quota.changes import may
from relay.core.quota.standing import Leaving, Standing, Tally
from relay.core.status.report import Status
from relay.core.tenants.tenancy import Route, RouteId
from relay.web.api import told
from relay.web.api.told import page_of, text_of
from tests.property.test_quota_machine import policies, sane
from tests.unit.core.quota.test_walls import NOON, route, status_of

ID = RouteId("news.acme.example", "outbound")
counts = st.tuples(st.integers(0, 9), st.integers(0, 40), st.sampled_from((0, 0, 0, 1)))


def told_anew(status: Status) -> object:
    return status.fields() | {"may": [verb.value for verb in may(status.state)]}


def standing_at(window, at, charged, lifetime):
    leaving = ()
    if window.slides and charged:
        leaving = (Leaving(leaves_at(window.closes_at - timedelta(hours=3)), None, charged),)
    return Standing(
        first_day=window.day - 1, last_day=window.day - 1, lifetime=lifetime, charged=charged,
        sent=charged, providers={"google": Tally(charged, charged)}, leaving=leaving, at=at,
    )  # fmt: skip


@settings(deadline=None)
@given(policies, st.booleans(), st.lists(counts, max_size=12))
def test_what_is_told_is_what_would_be_told_anew(made, is_rolling, steps):
    """The same counts come again minutes later, over a wall and below it."""
    made = sane(made)
    if is_rolling:
        made = replace(made, window=Rolling24h())
    at = datetime(2026, 3, 12, 10, 50, tzinfo=UTC)
    for charged, lifetime, days in steps:
        at += timedelta(days=days, minutes=3)
        window = made.window.at(at)
        status = Status(Route(ID, made), "acme", window, standing_at(window, at, charged, lifetime))
        assert json.loads(text_of(status)) == told_anew(status)


def test_a_route_that_stands_as_it_stood_is_not_described_twice(monkeypatch):
    steady = route((0, 50))
    first = text_of(status_of(steady, Standing(charged=3)))
    monkeypatch.setattr(Status, "fields", None)
    assert text_of(status_of(steady, Standing(charged=3), NOON + timedelta(minutes=5))) == first


def test_where_the_cap_opens_by_the_minute_it_is():
    even = route((0, 1000), smoothing=Even())
    first = text_of(status_of(even, Standing(charged=3)))
    assert text_of(status_of(even, Standing(charged=3), NOON + timedelta(hours=1))) != first


def test_what_is_kept_is_bounded(monkeypatch):
    monkeypatch.setattr(told, "MOST_KEPT", 10)
    monkeypatch.setattr(told, "_kept", {})
    for number in range(30):
        one = Route(RouteId(f"d{number}.example", "outbound"), route((0, 50)).policy)
        text_of(status_of(one, Standing()))
    assert len(told._kept) == 10


def test_a_page_is_one_json_object():
    assert json.loads(page_of([b'{"a":1}', b"2"], "x@y")) == {"data": [{"a": 1}, 2], "next": "x@y"}
    assert json.loads(page_of([], None)) == {"data": [], "next": None}
