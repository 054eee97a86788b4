"""`explain`: every layer behind today's number, and what one more message would hear."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from relay.cli.context import (
    ConfigOption,
    JsonOption,
    find_route,
    load_with_sources,
    print_json,
    run,
)
from relay.cli.inspect import RouteArgument, read_routes
from relay.cli.layers import Layer, layers_of, recipient_layer, rule_layer
from relay.cli.order import Order
from relay.cli.tools import Tools, open_tools
from relay.core.config import Config
from relay.core.domain import domain_of, normalize_domain
from relay.core.mail.classify import DEFAULT_CLASS
from relay.core.policy.policy import MailClass
from relay.core.providers import ProviderAnswer
from relay.core.quota.reservation import Wall
from relay.core.quota.wording import deferral_text
from relay.core.sources import Source, Sources
from relay.core.status.report import Status
from relay.core.tenants.tenancy import Route
from relay.settings.units import duration_text


@dataclass(frozen=True, slots=True)
class Explained:
    """One route, and the layers behind its number."""

    route: Route
    layers: list[Layer]
    deferral: str | None

    def fields(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "route": self.route.name,
            "layers": [layer.fields() for layer in self.layers],
            "next_message": self.deferral or "accepted",
        }


@dataclass(frozen=True, slots=True)
class Answers:
    """What the store and the providers answered. `recipient` was asked about, if any.

    `walk` is the route and, of a domain's first one, those that mail may overflow to;
    `mail_class` that of the domain's mail where neither header nor credential names one.
    """

    walk: list[Status]
    mail_class: MailClass
    simulated: str | None
    recipient: str | None
    provider: ProviderAnswer | None

    @property
    def order(self) -> Order:
        """What one more message would meet, to the recipient where there is one."""
        split = ((self.provider.provider, 1),) if self.provider else ()
        return Order(tuple(self.walk), split, self.mail_class)


def explain(
    id: RouteArgument,
    rcpt: Annotated[
        str | None, typer.Argument(metavar="RCPT", help="A recipient, or its domain.")
    ] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show every layer that made today's number, and what one more message would hear."""
    if rcpt is not None and not _is_recipient(rcpt):
        raise typer.BadParameter(f"{rcpt!r} is neither an address nor a domain", param_hint="RCPT")
    settings = load_with_sources(config, id)
    answers = run(_asked(settings, find_route(settings, id), rcpt))
    explained = [_explained(*pair, answers, settings.sources) for pair in answers.order.pairs()]
    refusal, taker = answers.order.refusal(), answers.order.taker()
    over = taker.route.name if taker else None
    if json:
        told = {"id": answers.walk[0].route.name, "routes": [each.fields() for each in explained]}
        print_json({**told, "next_message": refusal or "accepted", "next_route": over})
        return
    for each in explained:
        _print(each.layers)
    several = len(explained) > 1
    _print(_order(answers) if several else [])
    accepted = "one more send is accepted" + (f" over {over}" if several else "")
    _print([Layer("next", refusal or accepted)])


def _is_recipient(text: str) -> bool:
    domain = text.rpartition("@")[2]
    if domain.startswith("[") and domain.endswith("]"):  # an address literal, which is `other`
        return True
    try:
        return bool(normalize_domain(domain))
    except ValueError:
        return False


async def _asked(settings: Config, route: Route, rcpt: str | None) -> Answers:
    domain = settings.directory.domains[route.id.domain]
    walk = (route,) if route.place else domain.walk
    async with open_tools(settings) as tools:
        found = await read_routes(tools, list(walk))
        provider = await _provider(tools, rcpt) if rcpt else None
        mail_class = domain.mail_class or DEFAULT_CLASS
        return Answers(found, mail_class, tools.clock.simulated, rcpt, provider)


async def _provider(tools: Tools, rcpt: str) -> ProviderAnswer:
    return await tools.providers.explain(domain_of(rcpt) or rcpt)


def _explained(one: Status, wall: Wall | None, answers: Answers, sources: Sources) -> Explained:
    layers = layers_of(one, sources)
    if answers.simulated:
        layers.insert(0, Layer("now", f"simulated clock: {answers.simulated}"))
    if answers.recipient and answers.provider:
        layers.append(recipient_layer(answers.recipient, answers.provider, sources))
        layers.append(rule_layer(one, answers.provider.provider, sources))
    return Explained(one.route, layers, deferral_text(wall) if wall else None)


def _order(answers: Answers) -> list[Layer]:
    """Where there is a choice of routes: each of them, and what campaigns keep to."""
    layers = [Layer("order", says) for says in answers.order.lines()]
    if sticky := answers.walk[0].route.policy.sticky:
        kept = duration_text(sticky.keep_s)
        says = f"a campaign ({sticky.header}) keeps its route until {kept} after its last message"
        layers.append(Layer("sticky", says))
    return layers


def _print(layers: list[Layer]) -> None:
    for layer in layers:
        typer.echo(f"{layer.name:<12}{layer.says}")
        if layer.source:
            typer.echo(f"{'':<12}  {_shown(layer.source)}")


def _shown(source: Source) -> str:
    """Its place, as short as it can be named from here."""
    path, here = Path(source.path), Path.cwd()
    name = path.relative_to(here) if path.is_relative_to(here) else path
    return f"{name}:{source.line}:{source.column}"


COMMANDS = (explain,)
