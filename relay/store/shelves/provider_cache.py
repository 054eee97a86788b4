"""What the DNS said of recipient domains, in the store: `ports.ProviderCache`.

One plain string a domain, outside of every hash tag: GETs in one pipeline go to whichever
node of a cluster has them. The server forgets by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from relay.core.providers import MOST_HOSTS, STALE_S, MxFinding, MxKind
from relay.store import keys
from relay.store.commands import Command, as_is
from relay.store.connections.line import Line

_KINDS: Final = {kind.value: kind for kind in MxKind if kind is not MxKind.UNKNOWN}


class RedisProviderCache:
    """`ports.ProviderCache` over `line`."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def get(self, domains: Sequence[str]) -> dict[str, MxFinding]:
        """See `ports.ProviderCache`."""
        answers = await self._line.ask_all([c for domain in domains for c in _asking(domain)])
        found = zip(domains, answers[::2], answers[1::2], strict=True)
        return {d: f for d, text, left_ms in found if (f := finding_from(text, left_ms))}

    async def put(self, domain: str, finding: MxFinding) -> None:
        """See `ports.ProviderCache`."""
        kept_ms = int((finding.ttl_s + stale_s(finding.kind)) * 1000)
        words = ("SET", keys.mx(domain), text_of(finding), "PX", max(kept_ms, 1))
        await self._line.ask(Command("remember mx", words, bool))


def text_of(finding: MxFinding) -> str:
    """A finding as the store has it: its kind, then its hosts, with spaces between."""
    return " ".join((finding.kind.value, *finding.hosts))


def finding_from(text: str | None, left_ms: int) -> MxFinding | None:
    """What `text_of` made, `left_ms` before it is forgotten; None for anything else."""
    name, *hosts = (text or "").split(" ")
    kind = _KINDS.get(name)
    if kind is None or left_ms <= 0:
        return None
    named = tuple(host for host in hosts[:MOST_HOSTS] if host)
    return MxFinding(kind, named, left_ms / 1000 - stale_s(kind))


def stale_s(kind: MxKind) -> float:
    """Only an MX is worth serving when it is stale: the others mean `other` in any case."""
    return STALE_S if kind is MxKind.MX else 0.0


def _asking(domain: str) -> tuple[Command[Any], Command[Any]]:
    key = keys.mx(domain)
    return Command("recall mx", ("GET", key), as_is), Command("recall mx", ("PTTL", key), int)
