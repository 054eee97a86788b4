"""What the commands share: finding and loading the config, choosing routes, printing.

What reads configs, and the store, are imported where they are used: `serve` needs neither.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import re
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from relay.cli.plain import DEFAULT_CONFIGS
from relay.core.config import Config
from relay.core.domain import normalize_domain
from relay.core.errors import StoreTrouble
from relay.core.tenants.audit import MOST_REASON, REASON
from relay.core.tenants.tenancy import Route
from relay.core.text import is_text
from relay.settings.problems import ConfigProblems, nearest

T = TypeVar("T")

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="The config file; default relay.yaml, else relay.example.yaml."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def plain_reason(text: str) -> str:
    """`text`, as the API would take it too. Raises typer.BadParameter."""
    if len(text) > MOST_REASON or not is_text(text) or not re.fullmatch(REASON, text):
        raise typer.BadParameter(f"a reason is one line of at most {MOST_REASON} characters")
    return text


def plain_name(text: str) -> str:
    """`text`, which the store could not be asked for otherwise. Raises typer.BadParameter."""
    if not is_text(text):
        raise typer.BadParameter(f"{text!r} is not UTF-8 text")
    return text


ReasonOption = Annotated[
    str, typer.Option("--reason", help="For the audit log.", callback=plain_reason)
]


def config_path(option: Path | None) -> Path:
    """The config file to use."""
    if option is not None:
        return option
    found = [path for path in map(Path, DEFAULT_CONFIGS) if path.exists()]
    if not found:
        raise typer.BadParameter("no relay.yaml here; name one, or make one with: init DOMAIN")
    return found[0]


def load(option: Path | None) -> Config:
    """The config without its sources, or its problems on stderr and exit code 1."""
    from relay.settings.apart.glance import glance  # noqa: PLC0415  # see above

    with _problems_told():
        return glance(config_path(option), os.environ)


def load_whole(option: Path | None) -> Config:
    """`load`, with the domains that were added while relays ran."""
    return _with_added(load(option))


def load_with(option: Path | None, name: str) -> Config:
    """`load` for the route called `name`: of many domains perhaps only some.

    With added domains, and all others, where the files have no such route.
    """
    return completed(load_near(option, name), name)


def load_near(option: Path | None, name: str) -> Config:
    """`load_with`, without added domains: of the files only."""
    from relay.settings.apart.glance import glance_at  # noqa: PLC0415  # see above

    with _problems_told():
        return glance_at(config_path(option), os.environ, _domain_in(name))


def load_with_sources(option: Path | None, name: str) -> Config:
    """`load_with`, with sources, which takes longer where there are many domains."""
    with _problems_told():
        config = read_config(config_path(option))
    return completed(config, name)


def _domain_in(name: str) -> str:
    try:
        return normalize_domain(name.partition("@")[0])
    except ValueError:
        return ""


def completed(config: Config, name: str) -> Config:
    """`config`, with added domains where it has no route called `name`."""
    is_name = bool(_domain_in(name))  # else whoever looks for it says so
    return _with_added(config) if is_name and not has_route(config, name) else config


def has_route(config: Config, name: str) -> bool:
    """Whether `config` has a route called `name`; not where that is no name at all."""
    try:
        return config.directory.route_named(name) is not None
    except ValueError:
        return False


def _with_added(config: Config) -> Config:
    from relay.cli.tools import with_added  # noqa: PLC0415  # see above

    return run(with_added(config))


@contextmanager
def _problems_told() -> Iterator[None]:
    try:
        yield
    except ConfigProblems as found:
        show_problems(found)
        raise typer.Exit(1) from None


def read_config(path: Path) -> Config:
    """The config in the file `path`. Raises ConfigProblems."""
    from relay.settings.load import load_config  # noqa: PLC0415  # see above

    return load_config(path, os.environ)


def show_problems(found: ConfigProblems) -> None:
    """Each problem on stderr, a line each."""
    for problem in found.problems:
        typer.echo(str(problem), err=True)


def find_route(config: Config, name: str) -> Route:
    """The route called `name`: a domain (its first route), or domain@upstream.

    Exits with 2 if there is none, naming the one most like it.
    """
    try:
        found = config.directory.route_named(name)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if found is not None:
        return found
    directory = config.directory
    of_domain = directory.domains.get(name.partition("@")[0].lower())
    routes = of_domain.routes if of_domain else directory.routes()
    known = [route.name for route in routes]
    hint = nearest(name, known) or f"known: {', '.join(known[:20]) or 'none'}"
    raise typer.BadParameter(f"no route {name!r}; {hint}")


def actor() -> str:
    """Who runs the command, as the machine knows it: for the audit log."""
    try:
        return f"command line ({getpass.getuser()})"
    except (OSError, KeyError):  # a user id without a name, in a container
        return "command line"


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work`; a store that does not answer is told in a sentence, exit code 1."""
    from relay.store import StoreUnusable  # noqa: PLC0415  # see above

    try:
        return asyncio.run(work)
    except StoreTrouble as trouble:
        fail(f"the store does not answer: {trouble.__cause__ or trouble}")
    except StoreUnusable as error:
        fail(str(error))


def fail(text: str) -> NoReturn:
    """Say what is wrong on stderr, and end with exit code 1."""
    typer.echo(f"warmup-relay: {text}", err=True)
    raise typer.Exit(1)


def print_json(content: object) -> None:
    """Print `content` as JSON."""
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
