"""`web`: the HTTP API, in a process of its own beside the relay."""

from __future__ import annotations

import asyncio
import os
import pickle
import socket
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from relay.cli.context import ConfigOption, config_path, fail, show_problems
from relay.cli.serve import loop_factory
from relay.clock import clock_for
from relay.core.config import Config, WebConfig
from relay.front import NAME, NUMBER, FrontOrder
from relay.presence import presence_in
from relay.processes.inside import die_with_parent, is_orphan, read_order, say_failed, say_ready
from relay.processes.secrecy import keep_memory_private
from relay.settings.addresses import parse_address
from relay.settings.here import ReaderHere
from relay.settings.live import LiveSettings
from relay.settings.problems import ConfigProblems, Wrong
from relay.telemetry.logs import name_process, set_up_logs
from relay.telemetry.shared import share_values


def web(
    config: ConfigOption = None,
    address: Annotated[
        str | None,
        typer.Option("--address", metavar="HOST:PORT", help="Default: web.address of the config."),
    ] = None,
    clock: Annotated[
        Path | None,
        typer.Option("--clock", metavar="FILE", help="As of serve; default: that of the relay."),
    ] = None,
) -> None:
    """Serve the HTTP API until SIGTERM, on the store of the relays; SIGHUP reloads."""
    keep_memory_private()
    try:
        settings = LiveSettings.of(config_path(config), os.environ, ReaderHere())
    except ConfigProblems as found:
        show_problems(found)
        raise typer.Exit(1) from None
    where = _address(settings.config, address)
    set_up_logs(settings.config.log)
    serving = presence_in(settings.config.data_dir)
    beside = Path(serving.clock) if serving and serving.clock else None
    # FastAPI takes half a second to import: only this command pays for it.
    from relay.web_process import CannotServeWeb, serve_web  # noqa: PLC0415

    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(serve_web(settings, clock_for(clock or beside), where))
    except CannotServeWeb as error:
        fail(str(error))


def front(descriptor: int) -> None:
    """Be the web process of the relay that started this one; not for people."""
    die_with_parent()
    keep_memory_private()
    told = read_order()
    if not told:
        fail("the web process is started by `serve`; by hand it is `warmup-relay web`")
    order: FrontOrder = pickle.loads(told)  # noqa: S301 - our own parent's pipe  # nosec B301
    if is_orphan(order.parent):
        fail("the relay died while its web process began")
    set_up_logs(order.config.log)
    name_process(NAME)
    share_values(order.metrics, NUMBER)
    settings = LiveSettings(order.config, os.environ, ReaderHere(), order.seen, is_loud=False)
    bound = socket.socket(fileno=descriptor)
    from relay.web_process import CannotServeWeb, KeptBy, serve_web  # noqa: PLC0415  # as above

    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            kept = KeptBy(order.ops, order.beat, say_ready)
            runner.run(serve_web(settings, clock_for(order.clock), bound, kept))
    except CannotServeWeb as error:
        say_failed(str(error))
        raise typer.Exit(1) from error


def _address(config: Config, option: str | None) -> WebConfig:
    if option is None:
        if config.web is None:
            raise typer.BadParameter("web is off in the config: say --address HOST:PORT")
        return config.web
    try:
        found = parse_address(option)
    except Wrong as wrong:
        raise typer.BadParameter(str(wrong)) from wrong
    return replace(config.web or WebConfig("", 0), host=found.host, port=found.port)


COMMANDS = (web,)
HIDDEN = (front,)
