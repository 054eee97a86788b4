"""`pause`, `resume`, `graduate` and `restart`: what an operator may do to a route."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from relay.app import Tools, open_tools
from relay.cli.context import ConfigOption, JsonOption, find_route, load, print_json, run
from relay.cli.inspect import RouteArgument
from relay.core.config import Config
from relay.core.report import Status
from relay.core.tenancy import Route

Verb = Callable[[Tools, Route], Awaitable[bool]]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def pause(
    id: RouteArgument,
    reason: Annotated[str, typer.Option("--reason", help="Told to every client.")] = "by operator",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Send nothing over a route until `resume`: its mail is deferred, or overflows."""
    _change(
        load(config), id, "paused", "was paused already", json,
        lambda tools, route: tools.store.pause(route.id, reason, tools.clock.now()),
    )  # fmt: skip


def resume(id: RouteArgument, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Undo `pause`."""
    _change(
        load(config), id, "resumed", "was not paused", json,
        lambda tools, route: tools.store.resume(route.id),
    )  # fmt: skip


def graduate(
    id: RouteArgument,
    config: ConfigOption = None,
    json: JsonOption = False,
    yes: YesOption = False,
) -> None:
    """End a route's warm-up: no cap from now on."""
    _sure(f"{id}: no cap from now on?", yes=yes or json)
    _change(
        load(config), id, "graduated", "had graduated already", json,
        lambda tools, route: tools.store.graduate(route.id, tools.clock.now()),
    )  # fmt: skip


def restart(
    id: RouteArgument,
    config: ConfigOption = None,
    json: JsonOption = False,
    yes: YesOption = False,
) -> None:
    """Start a route's warm-up anew; what was sent today stays counted."""
    _sure(f"{id}: start the warm-up anew, at day 0?", yes=yes or json)
    _change(
        load(config), id, "restarted", "had not begun", json,
        lambda tools, route: tools.store.restart(route.id),
    )  # fmt: skip


def _sure(question: str, *, yes: bool) -> None:
    if not yes and typer.get_text_stream("stdin").isatty():
        typer.confirm(question, abort=True)


def _change(config: Config, name: str, done: str, idle: str, json: bool, verb: Verb) -> None:
    route = find_route(config, name)
    changed, status = run(_apply(config, route, verb))
    if json:
        print_json({"changed": changed, **status.fields()})
    else:
        typer.echo(f"{route.name} {done if changed else idle}")


async def _apply(config: Config, route: Route, verb: Verb) -> tuple[bool, Status]:
    async with open_tools(config) as tools:
        changed = await verb(tools, route)
        window = route.policy.window.at(tools.clock.now())
        standing = await tools.store.standing(route, window)
        tenant = config.directory.domains[route.id.domain].tenant
        return changed, Status(route, tenant, window, standing)


COMMANDS = (pause, resume, graduate, restart)
