"""`serve`: the relay itself."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from relay.cli.context import ConfigOption, config_path, fail, show_problems
from relay.clock import clock_for
from relay.lifecycle import CannotServe
from relay.lifecycle import serve as serve_until_stopped
from relay.settings.live import LiveSettings
from relay.settings.problems import ConfigProblems
from relay.telemetry.logs import set_up_logs


def serve(
    config: ConfigOption = None,
    clock: Annotated[
        Path | None,
        typer.Option(
            "--clock", metavar="FILE", help="For tests: now is the real time plus FILE's seconds."
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
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(serve_until_stopped(settings, clock_for(clock)))
    except CannotServe as error:
        fail(str(error))


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    """Uvloop where it can be had: it halves the cost of a socket event."""
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415  # not on every platform

    return uvloop.Loop


COMMANDS = (serve,)
