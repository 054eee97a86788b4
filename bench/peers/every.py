"""Every system that is compared, ours first."""

from __future__ import annotations

from bench.peers.exim import Exim
from bench.peers.ours import Ours
from bench.peers.postfix import Postfix, PostfixWithServices
from bench.peers.system import System
from bench.peers.with_redis import Haraka, Naive

SYSTEMS: tuple[type[System], ...] = (Ours, Postfix, PostfixWithServices, Exim, Haraka, Naive)


def named(names: str) -> list[type[System]]:
    """The systems of a comma-separated list. Raises SystemExit where there is none of a name."""
    table = {system.about.name: system for system in SYSTEMS}
    wanted = [name.strip() for name in names.split(",")] if names else list(table)
    if unknown := [name for name in wanted if name not in table]:
        raise SystemExit(f"no such system: {', '.join(unknown)} (there are: {', '.join(table)})")
    return [table[name] for name in wanted]
