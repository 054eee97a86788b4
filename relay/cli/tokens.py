"""`token`: an SMTP credential for the config; and `token create`, `list`, `revoke` for the API."""

from __future__ import annotations

from json import dumps
from typing import Annotated, Any

import typer

from relay.admin.access import Access
from relay.cli.context import (
    ConfigOption,
    JsonOption,
    actor,
    fail,
    load,
    plain_name,
    print_json,
    run,
)
from relay.cli.tools import Tools, open_tools
from relay.core.config import Config
from relay.core.quota.wording import timestamp
from relay.core.tenants.access import ApiToken, BadGrant, Scope
from relay.settings.problems import Wrong
from relay.settings.schema.fields import username as check_username
from relay.settings.tokens import hash_token, new_token
from relay.settings.units import parse_duration
from relay.store.shelves.tokens import RedisTokenShelf

app = typer.Typer(invoke_without_command=True)


@app.callback()
def token(
    context: typer.Context,
    username: Annotated[str, typer.Option("--username", help="For the line to paste.")] = "NAME",
    json: JsonOption = False,
) -> None:
    """Make an SMTP credential (the token, and its secret for the config); or see the commands.

    `create`, `list` and `revoke` are about tokens of the HTTP API, which live in the store.
    """
    if context.invoked_subcommand is not None:
        return
    try:
        check_username(username)
    except Wrong as wrong:
        raise typer.BadParameter(str(wrong), param_hint="--username") from wrong
    made = new_token()
    secret = hash_token(made)
    if json:
        print_json({"username": username, "token": made, "secret": secret})
        return
    typer.echo(f"token, for the client, shown this once:\n  {made}")
    typer.echo("for the tenant's credentials in the config:")
    typer.echo(f'  - {{username: {_in_yaml(username)}, secret: "{secret}"}}')


def _in_yaml(text: str) -> str:
    """`text` as the config takes it for what it is, `12` and `a, b` and `${A}` too."""
    return dumps(text, ensure_ascii=False).replace("${", "$${")


@app.command()
def create(
    scope: Annotated[
        str, typer.Option("--scope", help="read,send,manage of a tenant; or operator.")
    ],
    tenant: Annotated[str | None, typer.Option("--tenant", help="Whose token it is.")] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="90d", help="Default: never.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="For the list and the audit log.")] = "",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Make a token of the HTTP API; it is shown this once."""
    settings = load(config)
    if tenant is not None and tenant not in settings.directory.tenants:
        raise typer.BadParameter(f"no tenant {tenant!r}")
    lives_s = _seconds(expires)
    try:
        made, text = run(_create(settings, tenant, _scopes(scope), name, lives_s))
    except BadGrant as wrong:
        raise typer.BadParameter(str(wrong)) from wrong
    if json:
        print_json({**_fields(made), "token": text})
        return
    typer.echo(f"token of the HTTP API, shown this once:\n  {text}")
    typer.echo(f"{_line(made)}\nend it with: warmup-relay token revoke {made.id}")


def _scopes(text: str) -> frozenset[Scope]:
    try:
        return frozenset(Scope(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        raise typer.BadParameter(f"scopes are {', '.join(Scope)}; not {text!r}") from None


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else parse_duration(text)
    except Wrong as wrong:
        raise typer.BadParameter(str(wrong)) from wrong


async def _create(
    config: Config,
    tenant: str | None,
    scopes: frozenset[Scope],
    name: str,
    lives_s: float | None,
) -> tuple[ApiToken, str]:
    async with open_tools(config) as tools:
        return await _access(tools).create(tenant, scopes, name, lives_s, actor=actor())


def list_tokens(config: ConfigOption = None, json: JsonOption = False) -> None:
    """List the tokens of the HTTP API, without their secrets."""
    found = run(_list(load(config)))
    if json:
        print_json([_fields(each) for each in found])
        return
    for each in found:
        typer.echo(_line(each))


async def _list(config: Config) -> list[ApiToken]:
    async with open_tools(config) as tools:
        return await _access(tools).tokens()


@app.command()
def revoke(
    id: Annotated[
        str, typer.Argument(metavar="ID", help="As `token list` shows it.", callback=plain_name)
    ],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """End a token of the HTTP API at once."""
    if not run(_revoke(load(config), id)):
        fail(f"no token {id!r}")
    if json:
        print_json({"id": id, "revoked": True})
        return
    typer.echo(f"{id} revoked")


async def _revoke(config: Config, token_id: str) -> bool:
    async with open_tools(config) as tools:
        return await _access(tools).revoke(token_id, actor=actor())


def _access(tools: Tools) -> Access:
    return Access(RedisTokenShelf(tools.line), tools.clock)


def _fields(one: ApiToken) -> dict[str, Any]:
    return {
        "id": one.id,
        "tenant": one.tenant,
        "scopes": sorted(one.scopes),
        "name": one.name,
        "created_at": timestamp(one.created_at),
        "expires_at": timestamp(one.expires_at) if one.expires_at else None,
        "last_used_at": timestamp(one.last_used_at) if one.last_used_at else None,
    }


def _line(one: ApiToken) -> str:
    words = [one.id, one.tenant or "all tenants", ",".join(sorted(one.scopes))]
    words += [f"name {one.name}"] if one.name else []
    words += [f"expires {timestamp(one.expires_at)}" if one.expires_at else "never expires"]
    used = timestamp(one.last_used_at) if one.last_used_at else "never"
    return "  ".join([*words, f"last used {used}"])


app.command("list")(list_tokens)
