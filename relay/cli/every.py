"""The commands, gathered. Of `serve` alone, which is started the most, it is `root.py`."""

from __future__ import annotations

from relay.telemetry import lean as _lean  # noqa: F401  before structlog is imported

# isort: split
from relay.cli import (
    change,
    domains,
    explain,
    forecast,
    history,
    inspect,
    setup,
    state,
    tokens,
    users,
    web,
)
from relay.cli.root import app

__all__ = ["app"]

for module in (web, inspect, explain, forecast, change, history, setup, state):
    for command in module.COMMANDS:
        app.command()(command)
for alias, command in state.ALIASES.items():
    app.command(alias, hidden=True)(command)
app.add_typer(tokens.app, name="token")
app.add_typer(users.app, name="user")
app.add_typer(domains.app, name="domains")
