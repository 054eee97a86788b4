"""Start, reload, drain and stop, in phases.

Stopping: close the listening sockets, 421 new transactions, let those under way finish within
the deadline of the config, settle what is left, close upstreams and web, the store last.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from contextlib import ExitStack, suppress
from typing import Final

import structlog

from relay.app import RelayParts, open_relay
from relay.clock import AnyClock, FileClock
from relay.core.config import Config
from relay.keys_at_start import make_missing_keys
from relay.presence import Presence, announced
from relay.settings.live import LiveSettings
from relay.store import StoreUnusable

log = structlog.get_logger("relay")

SPARE_DESCRIPTORS: Final = 1000
"""Open files besides clients' connections: upstreams, store, web, keys, mail."""

FIRST_PROBE_S: Final = 3.0
"""How long the first look at the upstreams may hold up the start."""


class CannotServe(Exception):
    """The relay cannot start; the text says why, for people."""


async def serve(settings: LiveSettings, clock: AnyClock) -> None:
    """Serve until SIGTERM or SIGINT, then stop in order. Raises CannotServe."""
    config = settings.config
    _allow_descriptors(config.limits.connections)
    config.data_dir.mkdir(parents=True, exist_ok=True)
    make_missing_keys(config)
    try:
        parts = await open_relay(settings, clock)
    except (StoreUnusable, OSError) as error:
        raise CannotServe(str(error)) from error
    try:
        async with asyncio.TaskGroup() as group:
            await _run(parts, group)
    except* CannotServe as group_error:
        raise group_error.exceptions[0] from None
    finally:
        await parts.store.close()
        log.info("stopped")


def _allow_descriptors(connections: int) -> None:
    """Raise the soft limit on open files as far as it may be; say so if that is not enough."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + SPARE_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft < wanted:
            log.warning("fewer open files allowed than limits.connections needs", allowed=soft)


async def _run(parts: RelayParts, group: asyncio.TaskGroup) -> None:
    """`stop` begins the end; `drained` is when nothing needs the store any more."""
    stop, drained = asyncio.Event(), asyncio.Event()
    group.create_task(parts.store.run(drained))
    try:
        await _open(parts)
        group.create_task(parts.settings.watch(stop))
        group.create_task(parts.listeners.renew_certificates(stop))
        if parts.web:
            group.create_task(parts.web.serve())
        _handle_signals(parts, stop)
        _say_ready(parts)
        with _note(parts):
            await stop.wait()
            await _stop(parts)
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


def _handle_signals(parts: RelayParts, stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def reload() -> None:
        log.info("reload asked for by SIGHUP")
        parts.listeners.reload_certificates()
        parts.background.start(parts.settings.refresh())

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload)


def _say_ready(parts: RelayParts) -> None:
    config = parts.settings.config
    if isinstance(parts.clock, FileClock):
        log.warning(
            "SIMULATED CLOCK: caps follow a file, not the time", clock=parts.clock.simulated
        )
    log.info(
        "serving",
        listeners=_addresses(parts),
        web=_web(parts),
        domains=len(config.directory.domains),
        config=str(config.path),
    )


def _clock(clock: FileClock) -> dict[str, str | None]:
    return {"clock": clock.simulated}


def _addresses(parts: RelayParts) -> list[str]:
    return [f"{host}:{port}" for host, port in parts.listeners.addresses]


def _web(parts: RelayParts) -> str | None:
    web = parts.settings.config.web
    return f"{web.host}:{parts.web.port}" if web and parts.web else None


def _note(parts: RelayParts) -> ExitStack:
    config: Config = parts.settings.config
    path = parts.clock.path if isinstance(parts.clock, FileClock) else None
    stack = ExitStack()
    stack.enter_context(
        announced(
            config.data_dir,
            Presence(
                pid=os.getpid(),
                config=str(config.path),
                listeners=tuple(_addresses(parts)),
                web=_web(parts),
                clock=str(path.resolve()) if path else None,
            ),
        )
    )
    return stack


async def _stop(parts: RelayParts) -> None:
    limits = parts.settings.config.limits
    log.info("stopping")
    parts.listeners.stop_listening()
    await parts.listeners.drain(limits.shutdown_s)
    parts.providers.close()
    await parts.background.drain(limits.shutdown_s)
    await parts.upstreams.close()
    if parts.web:
        await parts.web.stop(1.0)
