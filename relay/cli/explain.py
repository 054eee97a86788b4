"""`explain`: every layer behind today's number, and what one more message would hear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from relay.app import Tools, open_tools
from relay.cli.context import ConfigOption, JsonOption, find_route, load, print_json, run
from relay.cli.inspect import RouteArgument, bound_name, bound_text, read_routes
from relay.core.classify import DEFAULT_CLASS
from relay.core.config import Config
from relay.core.domain import domain_of
from relay.core.providers import ProviderAnswer
from relay.core.quota import State, Wall, wall_before
from relay.core.report import Status
from relay.core.tenancy import Route
from relay.core.wording import cap_text, deferral_text, timestamp


@dataclass(frozen=True, slots=True)
class Layer:
    """One thing that today's number comes from, and the file that says so, if one does."""

    name: str
    says: str
    file: str = ""

    def fields(self) -> dict[str, Any]:
        """As JSON."""
        return {"layer": self.name, "says": self.says, "file": self.file or None}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the store and the providers answered. `recipient` was asked about, if any."""

    status: Status
    simulated: str | None
    recipient: str | None
    provider: ProviderAnswer | None

    def wall(self) -> Wall | None:
        """What is in the way of one more message, to the recipient where there is one."""
        one = self.status
        split = ((self.provider.provider, 1),) if self.provider else ()
        return wall_before(one.route, one.window, one.standing, 1, split, DEFAULT_CLASS)


def explain(
    id: RouteArgument,
    rcpt: Annotated[str | None, typer.Argument(metavar="[RCPT]")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show every layer that made today's number, and what one more message would hear."""
    settings = load(config)
    asked = run(_asked(settings, find_route(settings, id), rcpt))
    wall = asked.wall()
    says = deferral_text(wall) if wall else None
    if json:
        layers = [layer.fields() for layer in _layers(asked)]
        route = str(asked.status.route.id)
        print_json({"id": route, "layers": layers, "next_message": says or "accepted"})
        return
    for layer in [*_layers(asked), Layer("next", says or "one more send is accepted")]:
        typer.echo(f"{layer.name:<12}{layer.says}")


async def _asked(settings: Config, route: Route, rcpt: str | None) -> Asked:
    async with open_tools(settings) as tools:
        [status] = await read_routes(tools, [route])
        provider = await _provider(tools, rcpt) if rcpt else None
        return Asked(status, tools.clock.simulated, rcpt, provider)


async def _provider(tools: Tools, rcpt: str) -> ProviderAnswer:
    return await tools.providers.explain(domain_of(rcpt) or rcpt)


def _layers(asked: Asked) -> list[Layer]:
    one = asked.status
    policy = one.route.policy
    tier = policy.ramp.tier_at(one.progress)
    path = policy.path or "built in"
    layers = [
        Layer("route", f"{one.route.id} of tenant {one.tenant}"),
        Layer("policy", f"{policy.name} ({path}): {policy.description}", policy.path),
        Layer("source", policy.source or "not given", policy.path),
        Layer("window", f"{one.window.date}, {_span(one)} ({policy.window.zone})", policy.path),
        Layer("clock", _clock(one)),
        Layer("progress", f"{one.progress} {policy.ramp.advance.value}"),
        Layer("tier", f"from {tier.start}: cap {cap_text(tier.cap)}", policy.path),
    ]
    if asked.simulated:
        layers.insert(0, Layer("now", f"simulated clock: {asked.simulated}"))
    return layers + _state(one) + _walls(one) + _recipient(asked)


def _state(one: Status) -> list[Layer]:
    standing, layers = one.standing, []
    if one.route.policy.is_off(one.window.date):
        layers.append(Layer("day off", f"no sends on {one.window.date:%A}s", one.route.policy.path))
    if standing.idled:
        layers.append(Layer("idle", standing.idled, one.route.policy.path))
    if standing.graduated_at:
        layers.append(Layer("graduated", f"{timestamp(standing.graduated_at)}: no cap"))
    if one.state is State.PAUSED:
        layers.append(Layer("paused", standing.reason or "no reason given"))
    used = f"{one.sent} sent, {standing.reserved} in flight"
    return [*layers, Layer("cap", f"{cap_text(one.cap)}: {used}")]


def _walls(one: Status) -> list[Layer]:
    path = one.route.policy.path
    return [
        Layer("wall", f"{bound_name(bound)}: {bound_text(one, bound)}", path)
        for bound in one.bounds()
    ]


def _recipient(asked: Asked) -> list[Layer]:
    found = asked.provider
    if found is None:
        return []
    says = f"{asked.recipient}: {found.provider} ({found.how.value}: {found.detail})"
    return [Layer("recipient", says)]


def _span(one: Status) -> str:
    return f"{timestamp(one.window.opens_at)} to {timestamp(one.window.closes_at)}"


def _clock(one: Status) -> str:
    first = one.standing.first_at
    return f"first send {timestamp(first)}" if first else "no send yet: day 0"


COMMANDS = (explain,)
