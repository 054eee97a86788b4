"""The commands, gathered."""

from __future__ import annotations

from typing import Annotated

import typer

from relay import __version__
from relay.cli import (
    change,
    domains,
    explain,
    forecast,
    history,
    inspect,
    serve,
    setup,
    state,
    tokens,
    users,
    web,
)
from relay.processes.secrecy import keep_memory_private

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


for module in (serve, web, inspect, explain, forecast, change, history, setup, state):
    for command in module.COMMANDS:
        app.command()(command)
for alias, command in state.ALIASES.items():
    app.command(alias, hidden=True)(command)
for command in (*serve.HIDDEN, *web.HIDDEN):
    app.command(hidden=True)(command)
app.add_typer(tokens.app, name="token")
app.add_typer(users.app, name="user")
app.add_typer(domains.app, name="domains")


def main() -> None:
    """Run the command that the process was called with."""
    keep_memory_private()  # nearly every one reads a password, a key or a token
    app(prog_name="warmup-relay")
