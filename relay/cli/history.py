"""`import-history`: start a route where its past sends would have brought it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relay.cli.context import ConfigOption, JsonOption, fail, find_route, load_with, print_json, run
from relay.cli.inspect import RouteArgument, print_card
from relay.cli.sends import Row, check_dates, read_sends
from relay.cli.sheet import BadSheet
from relay.cli.tools import open_tools
from relay.core.config import Config
from relay.core.quota.history import past_of
from relay.core.status.report import Status
from relay.core.tenants.tenancy import Route


def import_history(
    id: RouteArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="date,sends, a day a line.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Forget what the relay knows of the route's past.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would hold; write nothing.")
    ] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Start a route where its past sends, day by day, would have brought it.

    Dates are days of the policy's zone. Today's sends count as sent today. With --replace the
    file is all that was ever sent, through the relay or past it.
    """
    settings = load_with(config, id)
    route = find_route(settings, id)
    try:
        rows = read_sends(file)
        status = run(_adopt(settings, route, file, rows, replaces=replace, dry=dry_run))
    except BadSheet as wrong:
        fail(f"{wrong}; nothing was changed")
    if status is None:
        fail(f"{route.id} has sent already; --replace puts the file in the place of its history")
    if json:
        print_json({"imported": not dry_run, **status.fields()})
        return
    typer.echo("would hold (nothing was written):" if dry_run else "imported:", err=True)
    print_card(status)


async def _adopt(
    config: Config, route: Route, file: Path, rows: tuple[Row, ...], *, replaces: bool, dry: bool
) -> Status | None:
    policy = route.policy
    async with open_tools(config) as tools:
        now = tools.clock.now()
        window = policy.window.at(now)
        check_dates(file, rows, window.date, policy.window.zone)
        sends = {row.day.toordinal(): row.sends for row in rows}
        past = past_of(policy, sends, config.providers.names)
        standing = await tools.store.adopt(route, past, now, replaces=replaces, dry=dry)
    if standing is None:
        return None
    return Status(route, config.directory.domains[route.id.domain].tenant, window, standing)


import_history.__name__ = "import-history"
COMMANDS = (import_history,)
