"""`user`: who may sign in to the pages."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from relay.admin.users import Users
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
from relay.core.tenants.users import (
    MOST_PASSWORD,
    NOT_TEXT,
    BadUser,
    User,
    check_name,
    check_password,
)
from relay.store.shelves.users import RedisUserShelf

app = typer.Typer(no_args_is_help=True, help="Make and remove users of the dashboard.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", callback=plain_name)]


@app.command()
def add(
    name: NameArgument,
    tenant: Annotated[
        str | None, typer.Option("--tenant", help="The tenant whose routes they see.")
    ] = None,
    operator: Annotated[bool, typer.Option("--operator", help="They see all tenants.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Make a user; the password is asked for, or read from the first line of stdin."""
    settings = load(config)
    if operator == (tenant is not None):
        raise typer.BadParameter("say either --tenant T or --operator")
    if tenant is not None and tenant not in settings.directory.tenants:
        raise typer.BadParameter(f"no tenant {tenant!r}")
    _check(lambda: check_name(name))
    made = run(_add(settings, name, tenant, _password()))
    if made is None:
        fail(f"there is a user {name!r} already")
    if json:
        print_json(_fields(made))
        return
    typer.echo(f"{_line(made)}\nthey sign in at /dashboard")


async def _add(config: Config, name: str, tenant: str | None, password: str) -> User | None:
    async with open_tools(config) as tools:
        return await _users(tools).add(name, tenant, password)


def list_users(config: ConfigOption = None, json: JsonOption = False) -> None:
    """List the users."""
    found = run(_list(load(config)))
    if json:
        print_json([_fields(each) for each in found])
        return
    for each in found:
        typer.echo(_line(each))


async def _list(config: Config) -> list[User]:
    async with open_tools(config) as tools:
        return await _users(tools).all()


@app.command()
def remove(name: NameArgument, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Remove a user; their sessions end at once."""
    if not run(_remove(load(config), name)):
        fail(f"no user {name!r}")
    if json:
        print_json({"name": name, "removed": True})
        return
    typer.echo(f"{name} removed")


async def _remove(config: Config, name: str) -> bool:
    async with open_tools(config) as tools:
        return await _users(tools).remove(name)


@app.command()
def password(name: NameArgument, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Give a user another password; their sessions end at once."""
    settings = load(config)
    if not run(_set_password(settings, name, _password())):
        fail(f"no user {name!r}")
    if json:
        print_json({"name": name, "changed": True})
        return
    typer.echo(f"{name} has another password")


async def _set_password(config: Config, name: str, text: str) -> bool:
    async with open_tools(config) as tools:
        return await _users(tools).set_password(name, text)


def _users(tools: Tools) -> Users:
    return Users(RedisUserShelf(tools.line), tools.clock, actor())


def _password() -> str:
    """From the terminal, asked twice; else the first line of stdin. Never from an argument."""
    if sys.stdin.isatty():
        text = str(typer.prompt("password", hide_input=True, confirmation_prompt=True))
    else:
        text = _first_line()
    _check(lambda: check_password(text))
    return text


def _first_line() -> str:
    try:
        return sys.stdin.readline(MOST_PASSWORD + 2).rstrip("\r\n")
    except UnicodeDecodeError as wrong:  # as surrogates only where the locale is C
        raise typer.BadParameter(NOT_TEXT) from wrong


def _check(check: Any) -> None:
    try:
        check()
    except BadUser as wrong:
        raise typer.BadParameter(str(wrong)) from wrong


def _fields(one: User) -> dict[str, Any]:
    return {"name": one.name, "tenant": one.tenant, "created_at": timestamp(one.created_at)}


def _line(one: User) -> str:
    return f"{one.name}  {one.tenant or 'all tenants'}  since {timestamp(one.created_at)}"


app.command("list")(list_users)
