"""What a test asks of a relay's store in its own process, by the code of the commands.

A command takes half a second of CPU, nearly all of it to start; what commands do beyond this (words,
exit codes, output) is tested with `RelayProcess.cli`.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from relay.admin.access import Access
from relay.cli.inspect import read_routes
from relay.cli.tools import Tools, open_tools, with_added
from relay.core.config import Config
from relay.core.errors import StoreTrouble
from relay.core.tenants.access import Scope
from relay.settings.load import load_config
from relay.settings.units import parse_duration
from relay.store.shelves.tokens import RedisTokenShelf

T = TypeVar("T")

ASK_S = 60.0

Question = Callable[[Tools], Awaitable[T]]


def status_of(path: Path, route: str) -> dict[str, Any]:
    """What `status ROUTE --json` prints for the config in `path`."""

    async def asked(tools: Tools) -> Any:
        found = tools.config.directory.route_named(route)
        assert found is not None, f"no route {route}"
        (status,) = await read_routes(tools, [found])
        return json.loads(json.dumps(status.fields()))

    return ask(path, asked, route)


def token_of(
    path: Path, scopes: tuple[str, ...], tenant: str | None, name: str = "", expires: str = ""
) -> str:
    """The text of a token that `token create` would make."""
    wanted = frozenset(map(Scope, scopes))
    lives_s = parse_duration(expires) if expires else None

    async def asked(tools: Tools) -> str:
        access = Access(RedisTokenShelf(tools.line), tools.clock)
        _, text = await access.create(tenant, wanted, name, lives_s, actor="command line (tests)")
        return text

    return ask(path, asked)


def ask(path: Path, question: Question[T], route: str = "") -> T:
    """The answer to `question`, in a thread of its own: the caller's may have a loop that runs.

    With the added domains where `route` is none of the config's. Raises AssertionError where the
    store does not answer.
    """
    with ThreadPoolExecutor(1) as pool:
        try:
            return pool.submit(asyncio.run, _asked(path, question, route)).result()
        except StoreTrouble as trouble:
            raise AssertionError(f"the store does not answer: {trouble.__cause__}") from trouble


async def _asked(path: Path, question: Question[T], route: str) -> T:
    config: Config = load_config(path, os.environ)
    async with asyncio.timeout(ASK_S):
        if route and config.directory.route_named(route) is None:
            config = await with_added(config)
        async with open_tools(config) as tools:
            return await question(tools)
