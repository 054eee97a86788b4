"""What issue 4 asks for, beside what a run has shown: ratios to the peers, CPU, latency.

Ratios are of messages a second within one run. A goal of systems that did not run is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

OURS: Final = "ours"
_REUSED: Final = ("20 reused", "100 reused")
_LOADED: Final = "20 reused"
_TIMES_REUSED: Final = {"postfix+postfwd": 5.0, "haraka": 5.0, "exim": 8.0, "postfix": 1.8}
_TIMES_NEW: Final = {"postfix+postfwd": 4.0, "haraka": 4.0, "exim": 4.0}
_NEVER_SLOWER: Final = ("1 kB", "100 kB", "1 MB", "1 session")
_PEERS: Final = ("postfix", "postfix+postfwd", "exim", "haraka", "naive")
_CPU_S: Final = {OURS: 2.2, "ours-ed25519": 1.0}
_LATENCY_MS: Final = {"p50_ms": 4.0, "p99_ms": 8.0}
_WORKERS: Final = 1.6

Entries = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Goal:
    """What is asked, and what was got, in one unit. `is_least`: more than asked is better."""

    what: str
    wanted: float
    got: float
    is_least: bool = True

    @property
    def is_met(self) -> bool:
        """Whether it was reached."""
        return self.got >= self.wanted if self.is_least else self.got <= self.wanted


def goals_of(document: dict[str, Any]) -> list[Goal]:
    """All goals that the run of `document` (see report.py) can say something of."""
    entries: Entries = document["systems"]
    return [*_ratios(entries), *_costs(entries)]


def _ratios(entries: Entries) -> Iterator[Goal]:
    for shape in _REUSED:
        for peer, times in _TIMES_REUSED.items():
            yield from _times(entries, peer, shape, times)
    for peer, times in _TIMES_NEW.items():
        yield from _times(entries, peer, "20 new", times)
    for shape in _NEVER_SLOWER:
        rates = {peer: _rate(entries, peer, shape) for peer in _PEERS}
        fastest = max(rates, key=lambda peer: rates[peer] or 0.0)
        yield from _times(entries, fastest, shape, 1.0)
    for shape in _REUSED:
        yield from _times(entries, "ours-one-worker", shape, _WORKERS)


def _times(entries: Entries, peer: str, shape: str, wanted: float) -> Iterator[Goal]:
    ours, theirs = _rate(entries, OURS, shape), _rate(entries, peer, shape)
    if ours and theirs:
        yield Goal(f"{shape}: times {peer}", wanted, ours / theirs)


def _rate(entries: Entries, name: str, shape: str) -> float | None:
    found: float | None = entries.get(name, {}).get("messages_s", {}).get(shape)
    return found


def _costs(entries: Entries) -> Iterator[Goal]:
    for name, wanted in _CPU_S.items():
        got = entries.get(name, {}).get("cpu_s_per_1000", {}).get(_LOADED)
        if got is not None:
            yield Goal(f"{_LOADED}: CPU s for 1,000, {name}", wanted, got, is_least=False)
    for field, wanted in _LATENCY_MS.items():
        got = entries.get(OURS, {}).get(field)
        if got is not None:
            yield Goal(f"at 13 a second: {field.replace('_', ' in ')}", wanted, got, is_least=False)


def goals_text(document: dict[str, Any]) -> str:
    """For a terminal: one line a goal."""
    lines = [f"{'goal':<44}{'wanted':>9}{'got':>8}"]
    for goal in goals_of(document):
        sign, mark = "≥" if goal.is_least else "≤", "" if goal.is_met else "  not met"
        lines.append(f"{goal.what:<44}{sign:>4}{goal.wanted:>5.1f}{goal.got:>8.2f}{mark}")
    return "\n".join(lines)
