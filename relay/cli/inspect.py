"""`status`: what the store knows, for people and as JSON."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from relay.cli.context import (
    ConfigOption,
    JsonOption,
    find_route,
    load_whole,
    load_with,
    print_json,
    run,
)
from relay.cli.tools import Tools, open_tools
from relay.core.config import Config
from relay.core.quota.bounds import Bound, WallKind
from relay.core.quota.reservation import next_tier
from relay.core.quota.wording import cap_text, counted_text, place_text, timestamp
from relay.core.status.report import Status
from relay.core.tenants.tenancy import Route
from relay.reporting import statuses_of, tenant_of

WIDTH = 200
"""Columns where there is no terminal to fit."""

RouteArgument = Annotated[
    str, typer.Argument(metavar="ID", help="DOMAIN (its first route) or DOMAIN@UPSTREAM.")
]


def status(
    id: Annotated[str | None, typer.Argument(metavar="ID")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show the routes: state, day, cap, sent and remaining."""
    settings = load_with(config, id) if id else load_whole(config)
    routes = [find_route(settings, id)] if id else settings.directory.routes()
    found, simulated = run(_statuses(settings, routes))
    if json:
        rows = [status.fields() for status in found]
        print_json(rows[0] if id else rows)
        return
    if simulated:
        typer.echo(f"simulated clock: {simulated}", err=True)
    if id:
        print_card(found[0])
    else:
        _print_table(found)


async def _statuses(config: Config, routes: list[Route]) -> tuple[list[Status], str | None]:
    async with open_tools(config) as tools:
        return await read_routes(tools, routes), tools.clock.simulated


async def read_routes(tools: Tools, routes: list[Route]) -> list[Status]:
    """Where each of `routes` stands now."""
    wanted = [(route, tenant_of(tools.config.directory, route)) for route in routes]
    return await statuses_of(tools.store, tools.clock, wanted)


def _print_table(found: list[Status]) -> None:
    from rich.console import Console  # noqa: PLC0415  big, and no command but this one needs it
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    for name in ("id", "upstream", "state", "policy"):
        table.add_column(name)
    for name in ("day", "cap", "sent", "reserved", "remaining", "lifetime"):
        table.add_column(name, justify="right")
    table.add_column("resets at")
    for one in found:
        fields = one.fields()
        table.add_row(
            one.route.name, one.route.id.upstream, one.state.value, one.route.policy.name,
            str(fields["warmup_day"]), cap_text(one.cap), str(one.sent),
            str(one.standing.reserved), cap_text(fields["remaining_today"]),
            str(one.standing.lifetime), fields["resets_at"],
        )  # fmt: skip
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)


def print_card(one: Status) -> None:
    """One route, a line for each thing that is known of it."""
    for label, value in _card(one):
        typer.echo(f"{label:<16}{value}")


def _card(one: Status) -> list[tuple[str, str]]:
    fields = one.fields()
    tier = next_tier(one.route.policy, one.window, one.standing)
    rows = [
        ("route", f"{one.route.name} over {one.route.id.upstream}"),
        ("tenant", one.tenant),
        ("policy", f"{one.route.policy.name}, {_place(one)}"),
        ("state", one.state.value + (f": {one.reason}" if one.reason else "")),
        ("cap today", cap_text(one.cap)),
        ("sent today", str(one.sent)),
        ("reserved now", str(one.standing.reserved)),
        ("remaining", cap_text(fields["remaining_today"])),
        ("resets at", fields["resets_at"]),
        ("lifetime sends", str(one.standing.lifetime)),
        ("first send at", fields["first_send_at"] or "not yet"),
    ]
    if tier:
        threshold = counted_text(one.route.policy.ramp.advance, tier.start)
        rows.append(("next tier", f"cap {cap_text(tier.cap)} from {threshold}"))
    if fields["warmup_ends_at"]:
        rows.append(("warm-up ends", fields["warmup_ends_at"]))
    if one.day_off:
        rows.append(("day off", f"no sends today; opens {timestamp(one.day_off)}"))
    return rows + [
        (bound_name(bound), bound_text(one, bound))
        for bound in one.bounds()
        if bound.kind is not WallKind.DOMAIN
    ]


def _place(one: Status) -> str:
    return place_text(one.route.policy, one.window, one.standing)


def bound_name(bound: Bound) -> str:
    """What a limit is called: `hour`, `provider google`."""
    return " ".join(filter(None, (bound.kind.value, bound.provider)))


def bound_text(one: Status, bound: Bound) -> str:
    """A limit and how much of it is used: `12 of 25 used`."""
    kept = f", the rest is kept for {bound.kept_for} mail" if bound.kept_for else ""
    wall = one.wall_of(bound)
    opens_at = wall.passable_at if wall else None
    opens = f"; opens {timestamp(opens_at)}" if opens_at else ""
    return f"{bound.used} of {bound.limit} used{kept}{opens}"


COMMANDS = (status,)
