"""Where the config in force was written: file, line and column of what decides about mail.

Stands beside the values, not in them: only people ask for it. `settings/origins.py` fills it;
a reload replaces it, also where nothing but lines have moved.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field

from relay.core.policy.policy import Policy
from relay.core.tenants.tenancy import RouteId

Key = tuple[str | int, ...]
"""Keys and list indexes that lead to a value of a file."""

Place = tuple[int, int]
"""Line and column, both from 1."""


@dataclass(frozen=True, slots=True)
class Source:
    """A place in a file; `path` is as the config knows it."""

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class PolicySources:
    """Where each key of one policy stands.

    `stages`: from which threshold on (rising) which line decides, of the ramp (``""``) and of
    the ramp of each provider. `overrides` are the files of the same name below it, the nearest
    last.
    """

    path: str
    keys: Mapping[Key, Place] = field(default_factory=dict)
    stages: Mapping[str, tuple[tuple[int, Place], ...]] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()

    def at(self, *key: str | int) -> Source | None:
        """Where `key` stands; None where the file does not have it."""
        place = self.keys.get(key)
        return None if place is None else Source(self.path, *place)

    def stage(self, progress: int, provider: str = "") -> Source | None:
        """What decides at `progress` of the ramp, or of the ramp of `provider`."""
        stages = self.stages.get(provider, ())
        above = bisect_right(stages, progress, key=lambda stage: stage[0])
        return Source(self.path, *stages[above - 1][1]) if above else None


@dataclass(frozen=True, slots=True)
class Sources:
    """All of them. `providers` is by file, provider and the domain or MX pattern claimed."""

    routes: Mapping[RouteId, Source] = field(default_factory=dict)
    policies: Mapping[str, PolicySources] = field(default_factory=dict)
    providers: Mapping[tuple[str, str, str], Source] = field(default_factory=dict)

    def of(self, policy: Policy) -> PolicySources:
        """Those of `policy`; none for one that is built in."""
        return self.policies.get(policy.name, PolicySources(policy.path))
