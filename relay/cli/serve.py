"""`serve`: the relay itself."""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from relay.cli.context import ConfigOption, config_path, fail, show_problems
from relay.clock import clock_for
from relay.core.config import MOST_WORKERS
from relay.lifecycle import CannotServe, serve_seat
from relay.lifecycle import serve as serve_until_stopped
from relay.processes.inside import die_with_parent, is_orphan, read_order, say_failed, say_ready
from relay.seat import Order
from relay.settings.live import LiveSettings
from relay.settings.problems import ConfigProblems
from relay.supervisor import supervise
from relay.telemetry.logs import name_process, set_up_logs
from relay.telemetry.shared import share_values


def serve(
    config: ConfigOption = None,
    clock: Annotated[
        Path | None,
        typer.Option(
            "--clock", metavar="FILE", help="For tests: now is the real time plus FILE's seconds."
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", metavar="N", min=1, max=MOST_WORKERS, help="Processes; else `workers:`."
        ),
    ] = None,
) -> None:
    """Run the relay until SIGTERM; SIGHUP reloads the config, policies and certificates."""
    try:
        settings = LiveSettings.of(config_path(config), os.environ)
    except ConfigProblems as found:
        show_problems(found)
        raise typer.Exit(1) from None
    set_up_logs(settings.config.log)
    count = workers or settings.config.workers
    now = clock_for(clock)
    try:
        _run(supervise(settings, now, count) if count > 1 else serve_until_stopped(settings, now))
    except CannotServe as error:
        fail(str(error))


def worker(number: int) -> None:
    """Be a worker of the supervisor that started this process; not for people."""
    die_with_parent()
    told = read_order()
    if not told:
        fail("a worker is started by `serve --workers N`")
    order: Order = pickle.loads(told)  # noqa: S301 - our own parent's pipe  # nosec B301
    if is_orphan(order.supervisor):
        fail("the supervisor died while this worker began")
    set_up_logs(order.config.log)
    name_process(f"worker {number}")
    share_values(order.seat.metrics, order.seat.number)
    settings = LiveSettings(order.config, os.environ, seen=order.seen, is_loud=False)
    try:
        _run(serve_seat(settings, clock_for(order.clock), order.seat, say_ready))
    except CannotServe as error:
        say_failed(str(error))
        raise typer.Exit(1) from error


def _run(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(work)


def loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    """Uvloop where it can be had: it halves the cost of a socket event."""
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415  # not on every platform

    return uvloop.Loop


COMMANDS = (serve,)
HIDDEN = (worker,)
