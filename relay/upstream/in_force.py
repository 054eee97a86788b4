"""The upstreams in force, by name; a reload opens new ones and closes those that are gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from relay.concurrency.background import Background
from relay.core.config import UpstreamConfig
from relay.ports.upstream import Upstream

LINGER_S: Final = 330.0
"""How long a replaced upstream stays open for what is under way on it."""

PROBE_S: Final = 5.0


class Upstreams(Mapping[str, Upstream]):
    """A mapping that `follow` brings in line with the config."""

    def __init__(self, opener: Callable[[UpstreamConfig], Upstream]) -> None:
        self._open = opener
        self._background = Background()
        self._configs: dict[str, UpstreamConfig] = {}
        self._upstreams: dict[str, Upstream] = {}

    def __getitem__(self, name: str) -> Upstream:
        return self._upstreams[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._upstreams)

    def __len__(self) -> int:
        return len(self._upstreams)

    def follow(self, configs: Mapping[str, UpstreamConfig]) -> None:
        """Open what is new or changed; what it replaces is closed once it had time to finish.

        Raises OSError where one cannot be opened, and then all stay as they are.
        """
        changed = [name for name in configs if self._configs.get(name) != configs[name]]
        opened = {name: self._open(configs[name]) for name in changed}
        for name in [*self._upstreams]:
            if name in opened or name not in configs:
                self._background.start(_close_later(self._upstreams.pop(name)))
        if self._configs:  # the first ones are probed before anybody is offered anything
            for upstream in opened.values():
                self._background.start(_probe(upstream))
        self._upstreams |= opened
        self._configs = dict(configs)

    def may_offer(self, extension: str) -> bool:
        """Whether clients are to be offered `extension` (an EHLO keyword), as last seen.

        8BITMIME while no upstream lacks it: a client that is not offered it converts its mail,
        and loses nothing. SMTPUTF8 beside it (RFC 6531 §3.1): nothing can take its place, so
        what an upstream lacks of it is told of the message. Any other where all offer it.
        """
        offers = [upstream.offers for upstream in self._upstreams.values()]
        if extension in {"8BITMIME", "SMTPUTF8"}:
            return all(offer is None or "8BITMIME" in offer for offer in offers)
        return bool(offers) and all(offer is not None and extension in offer for offer in offers)

    async def probe(self) -> dict[str, str | None]:
        """Ask each within a bounded time: name → None if it answers, else what is wrong."""
        names = list(self._upstreams)
        found = await asyncio.gather(*(_probe(self._upstreams[name]) for name in names))
        return dict(zip(names, found, strict=True))

    async def close(self) -> None:
        """Close every one, also those that were replaced: nothing is under way any more."""
        in_force = (upstream.close() for upstream in self._upstreams.values())
        await asyncio.gather(*in_force, self._background.drain(0))


async def _probe(upstream: Upstream) -> str | None:
    try:
        async with asyncio.timeout(PROBE_S):
            return await upstream.probe()
    except TimeoutError:
        return f"no answer within {PROBE_S:.0f} s"


async def _close_later(upstream: Upstream) -> None:
    try:
        await asyncio.sleep(LINGER_S)
    finally:
        await upstream.close()
