"""`serve`: the relay itself, in a process that holds no more than it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relay.cli.context import ConfigOption, config_path
from relay.core.config import MOST_WORKERS
from relay.processes.itself import become


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
    become("serve", str(config_path(config)), str(workers or ""), str(clock or ""))
