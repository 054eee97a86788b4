"""The command line without its commands, save `serve`: that one imports hardly anything."""

from __future__ import annotations

from typing import Annotated

import typer

from relay import __version__
from relay.cli.serve import serve

app = typer.Typer(
    name="warmup-relay",
    help="An SMTP relay that makes it impossible to ruin a new sending domain.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"warmup-relay {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=lambda wanted: _version(wanted=wanted))
    ] = False,  # an option of the command line
) -> None:
    pass


app.command()(serve)
