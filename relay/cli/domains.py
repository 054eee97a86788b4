"""`domains`: sending domains that are added while the relay runs, as an operator."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated, TypeVar

import typer

from relay.cli.context import (
    ConfigOption,
    JsonOption,
    ReasonOption,
    actor,
    fail,
    load,
    print_json,
    run,
)
from relay.cli.resealing import reseal
from relay.cli.tools import open_tools
from relay.core.config import Config
from relay.core.policy.policy import MailClass
from relay.core.tenants.added import RouteWish
from relay.core.tenants.published import DnsRecord
from relay.domains.desk import open_desk
from relay.ports.domains import By, DomainEdit, DomainRefused, Domains, DomainView
from relay.settings.live import LiveSettings
from relay.telemetry.logs import set_up_logs

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, help="Add and remove sending domains without an edit.")

NameArgument = Annotated[str, typer.Argument(metavar="DOMAIN")]
Told = tuple[DomainView, tuple[DnsRecord, ...]]


@app.command()
def add(
    domain: NameArgument,
    tenant: Annotated[str, typer.Option("--tenant", help="Whose it is.")],
    policy: Annotated[str, typer.Option("--policy", help="How it is warmed.")],
    upstream: Annotated[
        str | None, typer.Option("--upstream", help="Where its mail goes; default: the only one.")
    ] = None,
    mail_class: Annotated[
        MailClass | None, typer.Option("--class", help="Where header and credential name none.")
    ] = None,
    reason: ReasonOption = "",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Add a domain with new DKIM keys, and print the records to publish."""
    settings = load(config)
    over = upstream or _only_upstream(settings)
    wanted = DomainEdit(routes=(RouteWish(over, policy),), mail_class=mail_class)

    async def work(desk: Domains) -> Told:
        return await _told(desk, await desk.add(domain, tenant, wanted, _by(reason)))

    _print(_at_desk(settings, work), json=json)


@app.command()
def show(domain: NameArgument, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show a domain, and the records to publish."""

    async def work(desk: Domains) -> Told:
        return await _told(desk, await desk.one(domain, _by()))

    _print(_at_desk(load(config), work), json=json)


@app.command()
def verify(
    domain: NameArgument,
    approve: Annotated[
        bool, typer.Option("--approve", help="Take your word for it; ask no DNS.")
    ] = False,
    reason: ReasonOption = "",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Look for a domain's TXT record now; where it is there, the domain may send."""

    async def work(desk: Domains) -> Told:
        prove = desk.approve if approve else desk.verify
        return await _told(desk, await prove(domain, _by(reason)))

    view, records = _at_desk(load(config), work)
    if json:
        _print((view, records), json=True)
        return
    typer.echo(f"{view.name} is {view.state}, verified by {view.verified_by}")


@app.command()
def remove(
    domain: NameArgument,
    reason: ReasonOption = "",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Remove an added domain: its mail is refused within a second; its counts stay."""

    async def work(desk: Domains) -> DomainView:
        return await desk.remove(domain, _by(reason))

    view = _at_desk(load(config), work)
    if json:
        print_json(view.fields() | {"removed": True})
        return
    typer.echo(f"{view.name} removed")


def list_domains(config: ConfigOption = None, json: JsonOption = False) -> None:
    """List the sending domains: those of the config, and those that were added."""

    async def work(desk: Domains) -> list[DomainView]:
        return list(desk.all(_by()))

    found = _at_desk(load(config), work)
    if json:
        print_json([view.fields() for view in found])
        return
    for view in found:
        typer.echo(_line(view))


def _at_desk(config: Config, work: Callable[[Domains], Awaitable[T]]) -> T:
    """What `work` gives; a refusal is told in a sentence, exit code 1, or 2 for a wrong word."""
    set_up_logs(replace(config.log, level="error"))

    async def asked() -> T:
        async with open_tools(config) as tools:
            settings = LiveSettings(config, os.environ)
            desk = open_desk(settings, tools.clock, tools.line, tools.on_disk)
            await desk.following.catch_up()
            return await work(desk)

    try:
        return run(asked())
    except DomainRefused as refused:
        told = f"{refused.field}: {refused}" if refused.field else str(refused)
        if refused.field in {"name", "tenant"} or refused.field.endswith(".upstream"):
            raise typer.BadParameter(told) from refused
        fail(told)


def _by(reason: str = "") -> By:
    return By(actor(), None, reason)


def _only_upstream(config: Config) -> str:
    if len(config.upstreams) != 1:
        raise typer.BadParameter(f"name one --upstream of {', '.join(config.upstreams)}")
    return next(iter(config.upstreams))


async def _told(desk: Domains, view: DomainView) -> Told:
    return view, await desk.records(view)


def _print(told: Told, *, json: bool) -> None:
    view, records = told
    if json:
        print_json(view.fields() | {"records": [each.fields() for each in records]})
        return
    typer.echo(f"{_line(view)}\npublish:\n")
    for record in records:
        typer.echo(record.zone_text())


def _line(view: DomainView) -> str:
    routes = ", ".join(f"{each.policy} over {each.upstream}" for each in view.routes)
    words = [view.name, view.tenant, view.state.value, routes, f"({view.source})"]
    return "  ".join([*words, view.reason] if view.reason else words)


app.command("list")(list_domains)
app.command()(reseal)
