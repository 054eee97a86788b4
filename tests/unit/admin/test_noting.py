"""Notes of what happened: summed up, bounded, and without harm when the store is away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from relay.admin import noting
from relay.admin.noting import Notebook
from relay.concurrency.background import Background
from relay.core.errors import StoreTrouble
from relay.core.mail.message import Envelope
from relay.core.reply import Reply
from relay.core.status.recent import Kind
from relay.core.tenants.tenancy import RouteId
from relay.telemetry.story import Story

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
ROUTE = RouteId("a.example", "out")


class Clock:
    def now(self) -> datetime:
        return NOW


class Kept:
    """A store of notes that may be away."""

    def __init__(self) -> None:
        self.added: list = []
        self.is_away = False

    async def add(self, route, happenings) -> None:
        if self.is_away:
            raise StoreTrouble
        self.added.append((route, list(happenings)))

    async def of(self, _route):
        return []


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def background() -> Background:
    return Background()


@pytest.fixture
def notebook(kept, background, monkeypatch) -> Notebook:
    monkeypatch.setattr(noting, "FLUSH_S", 0.01)
    return Notebook(kept, Clock(), background)


def story(code=250, text="taken", domain="a.example", **more) -> Story:
    reply = Reply(code, "0.0", text)
    return Story("ref", "acme", Envelope("", ()), domain, "out", reply=reply, **more)


async def test_the_same_is_summed_up_and_written_once(notebook, kept, background):
    for _ in range(3):
        notebook.note(story(text="taken by r@example.com"))
    opens = NOW + timedelta(hours=1)
    notebook.note(story(451, "full", wall="domain", wall_opens_at=opens))
    await background.drain(5)
    [(route, found)] = kept.added
    assert route == ROUTE
    assert [(one.kind, one.label, one.count, one.text) for one in found] == [
        (Kind.REPLY, "250 2.0.0", 3, "taken by …"),
        (Kind.DEFERRAL, "domain", 1, "full"),
    ]
    assert found[1].opens_at == opens


async def test_what_was_not_classified_or_not_sent_again_is_not_noted(notebook, kept, background):
    notebook.note(story(domain=""))
    notebook.note(story(outcome="duplicate"))
    await background.drain(5)
    assert kept.added == []


async def test_a_store_that_is_away_costs_the_notes_and_later_ones_are_written(
    notebook, kept, background
):
    kept.is_away = True
    notebook.note(story())
    await background.drain(5)
    kept.is_away = False
    notebook.note(story())
    await background.drain(5)
    assert [one.count for _, found in kept.added for one in found] == [1]


async def test_no_more_than_so_many_are_held(notebook, kept, background, monkeypatch):
    monkeypatch.setattr(noting, "MOST_HELD", 5)
    for number in range(9):
        notebook.note(story(domain=f"d{number}.example"))
    await background.drain(5)
    assert len(kept.added) == 5
