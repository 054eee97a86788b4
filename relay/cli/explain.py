"""`explain`: every layer behind today's number, and what one more message would hear."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from relay.app import Tools, open_tools
from relay.cli.context import ConfigOption, JsonOption, find_route, load, print_json, run
from relay.cli.inspect import RouteArgument, read_routes
from relay.cli.layers import Layer, layers_of, recipient_layer, rule_layer
from relay.core.classify import DEFAULT_CLASS
from relay.core.config import Config
from relay.core.domain import domain_of
from relay.core.providers import ProviderAnswer
from relay.core.quota import wall_before
from relay.core.report import Status
from relay.core.sources import Source, Sources
from relay.core.tenancy import Route
from relay.core.wording import deferral_text


@dataclass(frozen=True, slots=True)
class Explained:
    """One route: its layers, and the deferral that one more message would hear, if any."""

    route: Route
    layers: list[Layer]
    deferral: str | None

    def fields(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "route": str(self.route.id),
            "layers": [layer.fields() for layer in self.layers],
            "next_message": self.deferral or "accepted",
        }


@dataclass(frozen=True, slots=True)
class Answers:
    """What the store and the providers answered. `recipient` was asked about, if any."""

    found: list[Status]
    simulated: str | None
    recipient: str | None
    provider: ProviderAnswer | None


def explain(
    id: RouteArgument,
    rcpt: Annotated[
        str | None, typer.Argument(metavar="[RCPT]", help="A recipient, or its domain.")
    ] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show every layer that made today's number, and what one more message would hear."""
    settings = load(config)
    answers = run(_asked(settings, [find_route(settings, id)], rcpt))
    explained = [_explained(one, answers, settings.sources) for one in answers.found]
    if json:
        print_json({"id": id, "routes": [each.fields() for each in explained]})
        return
    for each in explained:
        _print(each)


async def _asked(settings: Config, routes: list[Route], rcpt: str | None) -> Answers:
    async with open_tools(settings) as tools:
        found = await read_routes(tools, routes)
        provider = await _provider(tools, rcpt) if rcpt else None
        return Answers(found, tools.clock.simulated, rcpt, provider)


async def _provider(tools: Tools, rcpt: str) -> ProviderAnswer:
    return await tools.providers.explain(domain_of(rcpt) or rcpt)


def _explained(one: Status, answers: Answers, sources: Sources) -> Explained:
    layers = layers_of(one, sources)
    if answers.simulated:
        layers.insert(0, Layer("now", f"simulated clock: {answers.simulated}"))
    split: tuple[tuple[str, int], ...] = ()
    if answers.recipient and answers.provider:
        provider = answers.provider.provider
        layers.append(recipient_layer(answers.recipient, answers.provider, sources))
        layers.append(rule_layer(one, provider, sources))
        split = ((provider, 1),)
    wall = wall_before(one.route, one.window, one.standing, 1, split, DEFAULT_CLASS)
    return Explained(one.route, layers, deferral_text(wall) if wall else None)


def _print(each: Explained) -> None:
    says = each.deferral or "one more send is accepted"
    for layer in [*each.layers, Layer("next", says)]:
        typer.echo(f"{layer.name:<12}{layer.says}")
        if layer.source:
            typer.echo(f"{'':<12}  {_shown(layer.source)}")


def _shown(source: Source) -> str:
    """Its place, as short as it can be named from here."""
    path, here = Path(source.path), Path.cwd()
    name = path.relative_to(here) if path.is_relative_to(here) else path
    return f"{name}:{source.line}:{source.column}"


COMMANDS = (explain,)
