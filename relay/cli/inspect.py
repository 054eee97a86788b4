"""`status` and `explain`: what the store knows, for people and as JSON."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from relay.app import Tools, open_tools
from relay.cli.context import ConfigOption, JsonOption, find_route, load, print_json, run
from relay.core.config import Config
from relay.core.quota import State, next_tier, progress, wall_before
from relay.core.ramp import Advance
from relay.core.report import Status
from relay.core.tenancy import Route
from relay.core.wording import cap_text, deferral_text, timestamp

WIDTH = 200
"""Columns where there is no terminal to fit."""

RouteArgument = Annotated[str, typer.Argument(metavar="ID", help="DOMAIN or DOMAIN@UPSTREAM.")]


def status(
    id: Annotated[str | None, typer.Argument(metavar="[ID]")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show the routes: state, day, cap, sent and remaining."""
    settings = load(config)
    routes = [find_route(settings, id)] if id else settings.directory.routes()
    found, simulated = run(_statuses(settings, routes))
    if json:
        rows = [status.fields() for status in found]
        print_json(rows[0] if id else rows)
        return
    if simulated:
        typer.echo(f"simulated clock: {simulated}", err=True)
    if id:
        _print_card(found[0])
    else:
        _print_table(found)


async def _statuses(config: Config, routes: list[Route]) -> tuple[list[Status], str | None]:
    async with open_tools(config) as tools:
        return await _read(tools, routes), tools.clock.simulated


async def _read(tools: Tools, routes: list[Route]) -> list[Status]:
    now = tools.clock.now()
    wanted = [(route, route.policy.window.at(now)) for route in routes]
    standings = await tools.store.standings(wanted)
    return [
        Status(route, tools.config.directory.domains[route.id.domain].tenant, window, standing)
        for (route, window), standing in zip(wanted, standings, strict=True)
    ]


def _print_table(found: list[Status]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("route", "state", "policy"):
        table.add_column(name)
    for name in ("day", "cap", "sent", "reserved", "remaining", "lifetime"):
        table.add_column(name, justify="right")
    table.add_column("resets at")
    for one in found:
        fields = one.fields()
        table.add_row(
            str(one.route.id), one.state.value, one.route.policy.name,
            str(fields["warmup_day"]), cap_text(one.cap), str(one.sent),
            str(one.standing.reserved), cap_text(fields["remaining_today"]),
            str(one.standing.lifetime), fields["resets_at"],
        )  # fmt: skip
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)


def _print_card(one: Status) -> None:
    for label, value in _card(one):
        typer.echo(f"{label:<16}{value}")


def _card(one: Status) -> list[tuple[str, str]]:
    fields = one.fields()
    tier = next_tier(one.route.policy, one.window, one.standing)
    counted = "lifetime sends" if _by_lifetime(one) else "days"
    rows = [
        ("route", str(one.route.id)),
        ("tenant", one.tenant),
        ("policy", f"{one.route.policy.name}, day {fields['warmup_day']}"),
        ("state", one.state.value + (f": {one.standing.reason}" if one.standing.reason else "")),
        ("cap today", cap_text(one.cap)),
        ("sent today", str(one.sent)),
        ("reserved now", str(one.standing.reserved)),
        ("remaining", cap_text(fields["remaining_today"])),
        ("resets at", fields["resets_at"]),
        ("lifetime sends", str(one.standing.lifetime)),
        ("first send at", fields["first_send_at"] or "not yet"),
    ]
    if tier:
        rows.append(("next tier", f"cap {cap_text(tier.cap)} from {tier.start} {counted}"))
    if fields["warmup_ends_at"]:
        rows.append(("warm-up ends", fields["warmup_ends_at"]))
    return rows


def _by_lifetime(one: Status) -> bool:
    return one.route.policy.ramp.advance is Advance.LIFETIME_SENDS


def explain(
    id: RouteArgument,
    rcpt: Annotated[str | None, typer.Argument(metavar="[RCPT]")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show every layer that made today's number, and what one more message would hear."""
    settings = load(config)
    route = find_route(settings, id)
    [one], simulated = run(_statuses(settings, [route]))
    layers = _layers(one, simulated, rcpt)
    if json:
        wall = wall_before(route, one.window, one.standing, 1)
        verdict = deferral_text(wall) if wall else None
        print_json({"id": str(route.id), "layers": layers, "next_message": verdict or "accepted"})
        return
    for layer in layers:
        typer.echo(f"{layer['layer']:<12}{layer['says']}")


def _layers(one: Status, simulated: str | None, rcpt: str | None) -> list[dict[str, Any]]:
    route, policy, standing = one.route, one.route.policy, one.standing
    at = progress(policy, one.window, standing)
    tier = policy.ramp.tier_at(at)
    layers = [
        ("route", f"{route.id} of tenant {one.tenant}"),
        ("policy", f"{policy.name} ({policy.path or 'built in'}): {policy.description}"),
        ("source", policy.source or "not given"),
        ("window", f"{one.window.date}, {_span(one)} ({policy.window.zone})"),
        ("clock", _first(standing.first_at)),
        ("progress", f"{at} {policy.ramp.advance.value}"),
        ("tier", f"from {tier.start}: cap {cap_text(tier.cap)}"),
    ]
    if standing.graduated_at:
        layers.append(("graduated", f"{timestamp(standing.graduated_at)}: no cap"))
    if simulated:
        layers.insert(0, ("now", f"simulated clock: {simulated}"))
    if one.state is State.PAUSED:
        layers.append(("paused", standing.reason or "no reason given"))
    used = f"{one.sent} sent, {standing.reserved} in flight"
    layers.append(("cap", f"{cap_text(one.cap)}: {used}"))
    if rcpt:
        layers.append(("recipient", f"{rcpt}: no wall of its own"))
    wall = wall_before(route, one.window, standing, 1)
    layers.append(("next", deferral_text(wall) if wall else "one more send is accepted"))
    return [{"layer": name, "says": text} for name, text in layers]


def _span(one: Status) -> str:
    return f"{timestamp(one.window.opens_at)} to {timestamp(one.window.closes_at)}"


def _first(moment: datetime | None) -> str:
    return f"first send {timestamp(moment)}" if moment else "no send yet: day 0"


COMMANDS = (status, explain)
