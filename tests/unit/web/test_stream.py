"""The live stream towards many clients, some of which do not read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from relay.core.policy.policy import EXEMPT
from relay.core.tenants.tenancy import Directory, Route, RouteId, SendingDomain
from relay.web.api import stream
from relay.web.api.stream import _Unhurried
from relay.web.ordered import Ordered


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(stream, "SLOWEST_S", 0.1)


class Events:
    """Endless; knows how many clients hold it open."""

    def __init__(self) -> None:
        self.watching = 0

    async def stream(self) -> AsyncIterator[str]:
        self.watching += 1
        try:
            while True:
                yield "event: counters\n\n"
                await asyncio.sleep(0.01)
        finally:
            self.watching -= 1


class Client:
    """Takes so many events, then no more."""

    def __init__(self, reads: int | None = None) -> None:
        self.reads = reads
        self.count = 0

    async def send(self, _message) -> None:
        if self.reads is not None and self.count >= self.reads:
            await asyncio.Event().wait()
        self.count += 1

    async def receive(self):
        await asyncio.Event().wait()


async def served(events: Events, client: Client) -> None:
    answer = _Unhurried(events.stream(), lambda: None)
    await answer({"type": "http", "asgi": {"spec_version": "2.3"}}, client.receive, client.send)


async def test_a_client_that_stops_reading_is_dropped_and_the_others_go_on():
    events, slow, others = Events(), Client(reads=3), [Client() for _ in range(5)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(served(events, each)) for each in others]
        await asyncio.wait_for(served(events, slow), 2)
        assert (slow.count, events.watching) == (3, 5)
        seen = [each.count for each in others]
        await asyncio.sleep(0.2)
        assert all(now.count > before for now, before in zip(others, seen, strict=True))
        for task in tasks:
            task.cancel()
    assert events.watching == 0


async def test_a_client_that_reads_stays():
    events, client = Events(), Client()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(served(events, client), 0.5)
    assert client.count > 10
    assert events.watching == 0


class Routes(Directory):
    """Counts how often all of its routes are listed."""

    listed = 0

    def routes(self) -> list[Route]:
        Routes.listed += 1
        return super().routes()


class Desk:
    """One route of acme; counts how often it is read."""

    def __init__(self) -> None:
        self.reads = 0
        route = Route(RouteId("a.example", "out"), EXEMPT)
        self.directory = Routes(domains={"a.example": SendingDomain("a.example", "acme", (route,))})
        self.ordered = Ordered()

    async def statuses(self, routes):
        self.reads += len(routes)
        return [SimpleNamespace(route=each, counters=lambda: {"sent": 1}) for each in routes]


def bearer_of(tenant: str | None) -> SimpleNamespace:
    return SimpleNamespace(tenant=tenant, is_operator=tenant is None)


async def test_however_many_watch_a_route_is_worked_out_once():
    desk, streams = Desk(), stream.Streams()
    bearer = bearer_of("acme")
    known = [{} for _ in range(20)]
    told = [await stream._changed(desk, streams, bearer, "", each) for each in known]
    assert told == [[{"sent": 1}]] * 20
    assert desk.reads == 1
    assert await stream._changed(desk, streams, bearer, "", known[0]) == []
    assert await stream._changed(desk, streams, bearer_of(None), "A.", {}) == [{"sent": 1}]
    for nothing in (("globex", ""), ("acme", "b."), ("", "")):
        assert await stream._changed(desk, streams, bearer_of(nothing[0]), nothing[1], {}) == []


async def test_however_many_watch_the_routes_of_a_config_are_listed_once():
    desk, streams = Desk(), stream.Streams()
    before = Routes.listed
    for _ in range(20):
        await stream._changed(desk, streams, bearer_of("acme"), "", {})
    assert Routes.listed == before + 1


def test_whoever_has_the_most_places_makes_room_for_who_has_fewer():
    streams = stream.Streams()
    taken = [streams.enter("acme") for _ in range(stream.MOST_CLIENTS)]
    assert streams.enter("acme") is None
    others = [streams.enter("globex") for _ in range(stream.MOST_CLIENTS // 2)]
    assert all(map(streams.has, others))
    assert [streams.has(place) for place in taken] == [True] * 25 + [False] * 25
    assert streams.enter("globex") is None
    operator = streams.enter(None)
    assert operator is not None
    streams.leave(operator)
    streams.leave(operator)
    assert streams.enter("acme") is not None  # the room that acme or globex made for it


async def test_a_stream_whose_place_is_taken_ends():
    desk, streams = Desk(), stream.Streams()
    place = streams.enter("acme")
    events = stream._events(desk, streams, place, bearer_of("acme"), "", "")
    assert "counters" in await anext(events)
    streams.leave(place)
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(anext(events), 5)


async def test_a_place_is_given_up_even_where_nothing_was_streamed():
    streams = stream.Streams()
    place = streams.enter("acme")
    answer = _Unhurried(Events().stream(), lambda: streams.leave(place))

    async def gone():
        return {"type": "http.disconnect"}

    await answer({"type": "http", "asgi": {"spec_version": "2.3"}}, gone, Client().send)
    assert not streams.has(place)
