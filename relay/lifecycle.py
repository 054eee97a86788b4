"""Start, reload, drain and stop, in phases: a relay of one process, or one worker of several.

Stopping: close the listening sockets, 421 new transactions, let those under way finish within
the deadline of the config, settle what is left, close upstreams and web, the store last.
"""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from typing import Final

import structlog

from relay.app import RelayParts, open_relay
from relay.clock import AnyClock, FileClock
from relay.concurrency.background import Background
from relay.core.config import Config
from relay.processes.loop import handle_signals
from relay.processes.presence import Presence, announced
from relay.processes.quarters import Quarters
from relay.seat import Seat
from relay.settings.live import LiveSettings
from relay.signing.at_start import make_missing_keys
from relay.store import StoreUnusable
from relay.store.connections.line import Line
from relay.store.weaknesses import warn_of_weaknesses
from relay.thrift.settling import settle_down
from relay.web.server import WebServer
from relay.web_process.front import NUMBER as FRONT
from relay.web_process.front import Front

log = structlog.get_logger("relay")

SPARE_DESCRIPTORS: Final = 1000
"""Open files besides clients' connections: upstreams, store, web, keys, mail."""

FIRST_PROBE_S: Final = 3.0
"""How long the first look at the upstreams may hold up the start."""

Announced = Callable[[RelayParts, Front | None, asyncio.Event], AbstractContextManager[None]]
"""Says that the relay serves, for as long as the block runs."""


class CannotServe(Exception):
    """The relay cannot start; the text says why, for people."""


async def serve(settings: LiveSettings, clock: AnyClock) -> None:
    """Serve until SIGTERM or SIGINT, then stop in order. Raises CannotServe."""
    prepare(settings.config)
    await _serve(settings, clock, None, _announced)


async def serve_seat(
    settings: LiveSettings, clock: AnyClock, seat: Seat, say_ready: Callable[[], None]
) -> None:
    """`serve` as one of several workers, whose supervisor has prepared all and is told."""

    @contextmanager
    def announced(parts: RelayParts, _front: Front | None, _stop: asyncio.Event) -> Iterator[None]:
        log.info("worker serving", listeners=_addresses(parts))
        say_ready()
        yield

    _allow_descriptors(seat.config(settings.config).limits.connections)
    await _serve(settings, clock, seat, announced)


def prepare(config: Config) -> None:
    """What a relay needs once, however many processes it has: its directory, and DKIM keys.

    Raises CannotServe.
    """
    _allow_descriptors(config.limits.connections)
    try:
        config.data_dir.mkdir(parents=True, exist_ok=True)
        make_missing_keys(config)
    except OSError as error:
        raise CannotServe(f"cannot use {config.data_dir}: {error}") from error


async def _serve(
    settings: LiveSettings, clock: AnyClock, seat: Seat | None, announced: Announced
) -> None:
    try:
        parts = await open_relay(settings, clock, seat)
    except (StoreUnusable, OSError) as error:
        raise CannotServe(str(error)) from error
    try:
        with _fronted(parts, seat) as (served, front):
            async with asyncio.TaskGroup() as group:
                await _run(served, group, announced, front)
    except* CannotServe as group_error:
        raise group_error.exceptions[0] from None
    finally:
        await parts.store.close()
        log.info("stopped")


@contextmanager
def _fronted(parts: RelayParts, seat: Seat | None) -> Iterator[tuple[RelayParts, Front | None]]:
    """`parts` with the web process before them, which asks them over a socket of their own."""
    config = parts.settings.config
    if seat is not None or config.web is None or not config.web.api:
        yield parts, None
        return
    try:
        quarters = Quarters(config.data_dir)
        with closing(quarters):
            front = Front(parts.settings, parts.clock, config.web, quarters, parts.vitals)
            parts.vitals.count_beside(quarters.metrics)
            yield replace(parts, web=WebServer(quarters.ops(FRONT), parts.vitals)), front
    except OSError as error:
        raise CannotServe(str(error)) from error


def _allow_descriptors(connections: int) -> None:
    """Raise the soft limit on open files as far as it may be; say so if that is not enough."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + SPARE_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft < wanted:
            log.warning("fewer open files allowed than limits.connections needs", allowed=soft)


async def _run(
    parts: RelayParts, group: asyncio.TaskGroup, announced: Announced, front: Front | None
) -> None:
    """`stop` begins the end; `drained` is when nothing needs the store any more."""
    stop, drained = asyncio.Event(), asyncio.Event()
    group.create_task(parts.store.run(drained))
    try:
        await parts.following.begin()
        await _open(parts)
        settle_down()
        group.create_task(parts.settings.watch(stop))
        group.create_task(parts.following.follow(stop))
        group.create_task(parts.listeners.renew_certificates(stop))
        group.create_task(parts.vitals.keep_noting(stop))
        if parts.web:
            group.create_task(parts.web.serve())
        _handle_signals(parts, stop, front)
        if front:
            group.create_task(front.keep())
            await front.come_up(stop)
        with announced(parts, front, stop):
            await stop.wait()
            await _stop(parts, front)
    finally:
        drained.set()


async def _open(parts: RelayParts) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(parts.upstreams.probe(), FIRST_PROBE_S)
    try:
        if parts.web:
            parts.web.bind()
        await parts.listeners.start()
    except OSError as error:
        raise CannotServe(str(error)) from error


def _handle_signals(parts: RelayParts, stop: asyncio.Event, front: Front | None) -> None:
    def reload() -> None:
        log.info("reload asked for by SIGHUP")
        parts.listeners.reload_certificates()
        parts.background.start(parts.settings.refresh())
        if front:
            front.reload()

    handle_signals(stop, reload)


@contextmanager
def _announced(parts: RelayParts, front: Front | None, stop: asyncio.Event) -> Iterator[None]:
    config, answers = parts.settings.config, front or parts.web
    web = answers.port if answers else None
    with announced_as_serving(config, parts.clock, parts.listeners.addresses, web):
        look_at_store(config, parts.store.line, parts.background, stop)
        yield


def look_at_store(config: Config, line: Line, background: Background, stop: asyncio.Event) -> None:
    """Warn of what a store that is not ours may forget, unless `stop` is set before it answers."""
    if config.store.url is not None:
        background.start(warn_of_weaknesses(line, stop))


@contextmanager
def announced_as_serving(
    config: Config, clock: AnyClock, listeners: Sequence[tuple[str, int]], web_port: int | None
) -> Iterator[None]:
    """Say in the log and in the data directory that the relay serves, while the block runs.

    Raises CannotServe where the data directory cannot be written.
    """
    if isinstance(clock, FileClock):
        log.warning("SIMULATED CLOCK: caps follow a file, not the time", clock=clock.simulated)
    presence = Presence(
        pid=os.getpid(),
        config=str(config.path),
        listeners=tuple(f"{host}:{port}" for host, port in listeners),
        web=f"{config.web.host}:{web_port}" if config.web else None,
        clock=str(clock.path.resolve()) if isinstance(clock, FileClock) else None,
    )
    with ExitStack() as stack:
        try:
            stack.enter_context(announced(config.data_dir, presence))
        except OSError as error:
            raise CannotServe(f"cannot use {config.data_dir}: {error}") from error
        log.info(
            "serving",
            listeners=list(presence.listeners),
            web=presence.web,
            domains=len(config.directory.domains),
            config=presence.config,
        )
        yield


def _addresses(parts: RelayParts) -> list[str]:
    return [f"{host}:{port}" for host, port in parts.listeners.addresses]


async def _stop(parts: RelayParts, front: Front | None) -> None:
    limits = parts.settings.config.limits
    log.info("stopping")
    parts.vitals.say_stopping()
    parts.listeners.stop_listening()
    drains = [parts.listeners.drain(limits.shutdown_s)]
    await asyncio.gather(*drains, *([front.end()] if front else []))
    parts.providers.close()
    await parts.background.drain(limits.shutdown_s)
    await parts.upstreams.close()
    if front:
        front.close()
    if parts.web:
        await parts.web.stop(1.0)
