"""Every system that is compared, ours first."""

from __future__ import annotations

from bench.peers.exim import Exim
from bench.peers.ours import Ed25519, Ours, OneWorker
from bench.peers.postfix import Postfix, PostfixWithServices
from bench.peers.system import System
from bench.peers.with_redis import Haraka, Naive

SYSTEMS: tuple[type[System], ...] = (Ours, Postfix, PostfixWithServices, Exim, Haraka, Naive)
VARIANTS: tuple[type[System], ...] = (OneWorker, Ed25519)
"""Ours as it is compared in speed with itself; what a cap lets through is the same."""


def named(names: str, default: tuple[type[System], ...] = SYSTEMS) -> list[type[System]]:
    """The systems of a comma-separated list. Raises SystemExit where there is none of a name."""
    table = {system.about.name: system for system in (*SYSTEMS, *VARIANTS)}
    if not names:
        return list(default)
    wanted = [name.strip() for name in names.split(",")]
    if unknown := [name for name in wanted if name not in table]:
        raise SystemExit(f"no such system: {', '.join(unknown)} (there are: {', '.join(table)})")
    return [table[name] for name in wanted]
