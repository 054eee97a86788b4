"""Which module holds which command. One command loads its own alone, help loads all of them.

The modules with their commands know most of the relay, so that all of them take most of a
second to load; `serve`, which is started the most, is in `root.py`.
"""

# ruff: noqa: PLC0415 - each module is loaded when it is asked for
from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Final

from relay.telemetry import lean as _lean  # noqa: F401  before structlog is imported

# isort: split
import typer

from relay.cli.root import app as root


def _web() -> ModuleType:
    from relay.cli import web

    return web


def _inspect() -> ModuleType:
    from relay.cli import inspect

    return inspect


def _explain() -> ModuleType:
    from relay.cli import explain

    return explain


def _forecast() -> ModuleType:
    from relay.cli import forecast

    return forecast


def _change() -> ModuleType:
    from relay.cli import change

    return change


def _history() -> ModuleType:
    from relay.cli import history

    return history


def _setup() -> ModuleType:
    from relay.cli import setup

    return setup


def _state() -> ModuleType:
    from relay.cli import state

    return state


def _tokens() -> ModuleType:
    from relay.cli import tokens

    return tokens


def _users() -> ModuleType:
    from relay.cli import users

    return users


def _domains() -> ModuleType:
    from relay.cli import domains

    return domains


_HOMES: Final[dict[tuple[str, ...], Callable[[], ModuleType]]] = {
    ("web",): _web,
    ("status",): _inspect,
    ("explain",): _explain,
    ("plan",): _forecast,
    ("pause", "resume", "graduate", "restart"): _change,
    ("import-history",): _history,
    ("init", "dns", "check"): _setup,
    ("backup", "restore", "export", "import"): _state,
    ("token",): _tokens,
    ("user",): _users,
    ("domains",): _domains,
}
"""The names of commands, in the order of the help, and the modules that hold them."""


def app_for(name: str) -> typer.Typer:
    """The command line with what the command `name` needs; with all, where there is none."""
    found = [names for names in _HOMES if name in names]
    for names in found or _HOMES:
        _add(names, _HOMES[names]())
    return root


def _add(names: tuple[str, ...], module: ModuleType) -> None:
    if hasattr(module, "app"):
        root.add_typer(module.app, name=names[0])
        return
    for command in module.COMMANDS:
        root.command()(command)
    for alias, command in getattr(module, "ALIASES", {}).items():
        root.command(alias, hidden=True)(command)
