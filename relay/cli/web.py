"""`web`: the HTTP API, in a process of its own beside the relay."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from relay.cli.context import ConfigOption, config_path, fail, show_problems
from relay.clock import clock_for
from relay.core.config import Config, WebConfig
from relay.processes.loop import run
from relay.processes.presence import presence_in
from relay.settings.addresses import parse_address
from relay.settings.apart.here import ReaderHere
from relay.settings.live import LiveSettings
from relay.settings.problems import ConfigProblems, Wrong
from relay.telemetry.logs import set_up_logs


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
    from relay.web_process.process import CannotServeWeb, serve_web  # noqa: PLC0415

    try:
        run(serve_web(settings, clock_for(clock or beside), where))
    except CannotServeWeb as error:
        fail(str(error))


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
