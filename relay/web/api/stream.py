"""`/api/stream`: the counters of routes as they change, as server-sent events.

Bounded in clients, in routes and in time; however many watch, a route is read once a second.
A client that stops reading is dropped: it keeps its place from others, and nobody waits for it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from relay.concurrency.waiting import set_within
from relay.core.errors import StoreTrouble
from relay.core.tenants.access import ApiToken
from relay.core.tenants.tenancy import Route, RouteId
from relay.web.api.declared import answers
from relay.web.api.desk import Desk, Reader, TheDesk
from relay.web.api.problems import Problem
from relay.web.asgi import header

router = APIRouter(prefix="/api/stream", tags=["warm-up"])

EVERY_S: Final = 1.0
BEAT_EVERY_S: Final = 10.0
LONGEST_S: Final = 3600.0
MOST_CLIENTS: Final = 50
MOST_ROUTES: Final = 200
SLOWEST_S: Final = 30.0
"""How long a client may let an event wait, once what the system buffers for it is full."""

Counters = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One client's, of the tenant `whose` (None: an operator's)."""

    whose: str | None


class Streams:
    """Those who watch, and what was read for them a moment ago. `stopping` ends all of them."""

    def __init__(self) -> None:
        self._places: list[Place] = []
        self.stopping = asyncio.Event()
        self._read: dict[RouteId, tuple[float, Counters]] = {}
        self._turn = asyncio.Lock()

    def enter(self, whose: str | None) -> Place | None:
        """A place to watch from, until `leave`; None where all are taken.

        Where one tenant has more of them than `whose` would have, its newest one makes room.
        """
        place = Place(whose)
        if len(self._places) >= MOST_CLIENTS:
            counts = Counter(each.whose for each in self._places)
            [(greedy, most)] = counts.most_common(1)
            if most <= counts[whose] + 1:
                return None
            self.leave([each for each in self._places if each.whose == greedy][-1])
        self._places.append(place)
        return place

    def leave(self, place: Place) -> None:
        """Give it up. May be called twice."""
        if place in self._places:
            self._places.remove(place)

    def has(self, place: Place) -> bool:
        """Whether it is still its client's."""
        return place in self._places

    async def counters(self, desk: Desk, routes: Sequence[Route]) -> dict[RouteId, Counters]:
        """Where `routes` stand, at most a second ago: worked out once for all who watch.

        Raises StoreTrouble.
        """
        async with self._turn:
            since = time.monotonic() - EVERY_S * 0.9
            stale = [r for r in routes if r.id not in self._read or self._read[r.id][0] < since]
            now = time.monotonic()
            self._read = {k: v for k, v in self._read.items() if v[0] > now - 60}
            for status in await desk.statuses(stale):
                self._read[status.route.id] = (now, status.counters())
            return {route.id: self._read[route.id][1] for route in routes}


@router.get(
    "",
    responses=answers() | {200: {"content": {"text/event-stream": {}}}},
    response_class=StreamingResponse,
)
async def stream(
    desk: TheDesk,
    bearer: Reader,
    request: Request,
    domain: Annotated[str | None, Query(max_length=255, description="A prefix.")] = None,
) -> Response:
    """Events `counters`: the routes that changed since the last one; all of them at first.

    A comment line comes every 10 s where nothing changes. The token is asked for again with
    it: a revoked one ends the stream.
    """
    streams: Streams = request.app.state.streams
    place = streams.enter(bearer.tenant)
    if place is None:
        raise Problem(503, f"{MOST_CLIENTS} clients watch already", {"retry-after": "30"})
    # Of several such fields the one that the door has read.
    authorization = header(request.scope, b"authorization") or ""
    events = _events(desk, streams, place, bearer, authorization, domain or "")
    return _Unhurried(events, partial(streams.leave, place))


class _Unhurried(StreamingResponse):
    """`events`, and what is called when no more of them go out."""

    def __init__(self, events: AsyncIterator[str], ended: Callable[[], None]) -> None:
        headers = {"cache-control": "no-store"}
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See starlette."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._ended()

    async def stream_response(self, send: Send) -> None:
        """As starlette's, for a client that takes each event within SLOWEST_S."""

        async def in_time(message: Message) -> None:
            async with asyncio.timeout(SLOWEST_S):
                await send(message)

        with suppress(TimeoutError):
            await super().stream_response(in_time)
        if isinstance(self.body_iterator, AsyncGenerator):
            await self.body_iterator.aclose()  # now, and not when somebody cleans up


async def _events(
    desk: Desk, streams: Streams, place: Place, bearer: ApiToken, authorization: str, domain: str
) -> AsyncIterator[str]:
    known: dict[RouteId, Counters] = {}
    ends_at = time.monotonic() + LONGEST_S
    beat_at = time.monotonic() + BEAT_EVERY_S
    while time.monotonic() < ends_at and streams.has(place):
        changed = await _changed(desk, streams, bearer, domain, known)
        if changed:
            yield f"event: counters\ndata: {json.dumps(changed)}\n\n"
        if time.monotonic() > beat_at:
            beat_at = time.monotonic() + BEAT_EVERY_S
            if not await _is_still_welcome(desk, authorization):
                return
            yield ": still here\n\n"
        if await set_within(streams.stopping, EVERY_S):
            return


async def _changed(
    desk: Desk,
    streams: Streams,
    bearer: ApiToken,
    domain: str,
    known: dict[RouteId, Counters],
) -> list[Counters]:
    """The counters that are not as `known`, which is brought up to date."""
    whose = None if bearer.is_operator else bearer.tenant or ""
    seen = desk.ordered.routes(desk.directory, whose, domain.lower(), None)
    try:
        found = await streams.counters(desk, list(islice(seen, MOST_ROUTES)))
    except StoreTrouble:
        return []
    changed = [counters for name, counters in found.items() if known.get(name) != counters]
    known.clear()
    known.update(found)
    return changed


async def _is_still_welcome(desk: Desk, authorization: str) -> bool:
    with suppress(StoreTrouble):
        return await desk.access.bearer(authorization.partition(" ")[2].strip()) is not None
    return True
