"""`pause`, `resume`, `graduate` and `restart`: what an operator may do to a route."""

from __future__ import annotations

from typing import Annotated

import typer

from relay.admin.changing import Changing
from relay.cli.context import (
    ConfigOption,
    JsonOption,
    ReasonOption,
    actor,
    find_route,
    load_with,
    plain_reason,
    print_json,
    run,
)
from relay.cli.inspect import RouteArgument
from relay.cli.tools import open_tools
from relay.core.config import Config
from relay.core.quota.changes import DONE, Verb
from relay.core.tenants.tenancy import Route
from relay.ports.web import Change
from relay.store.shelves.audit_log import RedisAuditLog

YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def pause(
    id: RouteArgument,
    reason: Annotated[
        str, typer.Option("--reason", help="Told to every client.", callback=plain_reason)
    ] = "by operator",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Send nothing over a route until `resume`: its mail is deferred, or overflows."""
    _change(load_with(config, id), id, Verb.PAUSE, reason, json=json)


def resume(
    id: RouteArgument,
    reason: ReasonOption = "",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Undo `pause`."""
    _change(load_with(config, id), id, Verb.RESUME, reason, json=json)


def graduate(
    id: RouteArgument,
    reason: ReasonOption = "",
    config: ConfigOption = None,
    json: JsonOption = False,
    yes: YesOption = False,
) -> None:
    """End a route's warm-up: no cap from now on."""
    _sure(f"{id}: no cap from now on?", yes=yes or json)
    _change(load_with(config, id), id, Verb.GRADUATE, reason, json=json)


def restart(
    id: RouteArgument,
    reason: ReasonOption = "",
    config: ConfigOption = None,
    json: JsonOption = False,
    yes: YesOption = False,
) -> None:
    """Start a route's warm-up anew; what was sent today stays counted."""
    _sure(f"{id}: start the warm-up anew, at day 0?", yes=yes or json)
    _change(load_with(config, id), id, Verb.RESTART, reason, json=json)


def _sure(question: str, *, yes: bool) -> None:
    if not yes and typer.get_text_stream("stdin").isatty():
        typer.confirm(question, abort=True)


def _change(config: Config, name: str, verb: Verb, reason: str, *, json: bool) -> None:
    route = find_route(config, name)
    change = run(_apply(config, route, verb, reason))
    if json:
        print_json({"changed": change.is_done, **change.after.fields()})
    else:
        typer.echo(f"{route.name} {change.refusal or DONE[verb]}")


async def _apply(config: Config, route: Route, verb: Verb, reason: str) -> Change:
    tenant = config.directory.domains[route.id.domain].tenant
    async with open_tools(config) as tools:
        changing = Changing(tools.store, RedisAuditLog(tools.line), tools.clock)
        return await changing.change(verb, route, tenant, actor=actor(), reason=reason)


COMMANDS = (pause, resume, graduate, restart)
