"""The web process: the API beside a relay, with the same store, the same pipeline, the same quota.

Serves until it is told to stop, and ends in order. It listens on no SMTP port. What it is made of
is in `rooms.py`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from relay.clock import AnyClock
from relay.concurrency.waiting import set_within
from relay.core.config import WebConfig
from relay.domains.looking import Looking
from relay.processes.inside import beat
from relay.processes.loop import handle_signals
from relay.settings.live import LiveSettings
from relay.store import StoreUnusable
from relay.thrift.settling import settle_down
from relay.web.server import HttpServer
from relay.web_process.rooms import Rooms, open_rooms, site_of

log = structlog.get_logger("relay")


class CannotServeWeb(Exception):
    """The web process cannot start; the text says why, for people."""


@dataclass(frozen=True, slots=True)
class KeptBy:
    """The relay that started this process and keeps it.

    `ops` is where it answers /metrics and the like, with what this process counts in them;
    `beat` the file to touch, `say_ready` what to call when all is up.
    """

    ops: Path
    beat: Path
    say_ready: Callable[[], None]


async def serve_web(
    settings: LiveSettings,
    clock: AnyClock,
    at: WebConfig | socket.socket,
    kept: KeptBy | None = None,
) -> None:
    """Serve HTTP on `at` until SIGTERM or SIGINT. Raises CannotServeWeb.

    Without `kept`, nobody's child: it has metrics of its own, and says of the relay beside it,
    if there is one, whether that is ready.
    """
    try:
        rooms = await open_rooms(settings, clock)
    except (StoreUnusable, OSError) as error:
        raise CannotServeWeb(str(error)) from error
    server = HttpServer(at, site_of(rooms, at, kept.ops if kept else None))
    try:
        server.bind()
        async with asyncio.TaskGroup() as group:
            await _run(rooms, server, group, kept)
    except* OSError as errors:
        raise CannotServeWeb(str(errors.exceptions[0])) from None
    finally:
        await rooms.store.close()
        log.info("web stopped")


async def _run(
    rooms: Rooms, server: HttpServer, group: asyncio.TaskGroup, kept: KeptBy | None
) -> None:
    stop, drained = asyncio.Event(), asyncio.Event()
    group.create_task(rooms.store.run(drained))
    await rooms.domains.following.begin()
    group.create_task(rooms.settings.watch(stop))
    group.create_task(rooms.domains.following.follow(stop))
    group.create_task(Looking(rooms.settings, rooms.domains, rooms.clock).keep(stop))
    group.create_task(server.serve())
    handle_signals(stop, lambda: rooms.background.start(rooms.settings.refresh()))
    settle_down()
    log.info("serving the web", address=server.address, config=str(rooms.settings.config.path))
    if kept:
        group.create_task(beat(kept.beat, stop))
        kept.say_ready()
    try:
        await stop.wait()
        await _stop(rooms, server)
    finally:
        drained.set()


async def _stop(rooms: Rooms, server: HttpServer) -> None:
    limits = rooms.settings.config.limits
    rooms.streams.stopping.set()
    await server.stop(limits.shutdown_s)
    await set_within(server.ended, limits.shutdown_s + 1)
    rooms.providers.close()
    await rooms.background.drain(limits.shutdown_s)
    await rooms.upstreams.close()
