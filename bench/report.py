"""The measured figures as a table, as JSON, and beside those of another run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bench.checks import Checked
from bench.speed import SHAPES, SIZES, Bench

MOVED = 0.15


def as_document(
    benches: Sequence[Bench],
    checks: dict[str, Checked],
    versions: dict[str, str],
    machine: dict[str, object],
) -> dict[str, Any]:
    """For JSON: one entry for each system, plain numbers with their units in the names."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}",
        "machine": machine,
        "systems": {bench.system.about.name: _entry(bench, checks, versions) for bench in benches},
    }


def _entry(bench: Bench, checks: dict[str, Checked], versions: dict[str, str]) -> dict[str, Any]:
    about, measured = bench.system.about, bench.measured
    latency = measured.latency
    return {
        "title": about.title,
        "versions": versions.get(about.name, ""),
        "queues": bench.system.queues,
        "checked": checks[about.name].good if about.name in checks else None,
        "rounds": {name: len(bursts) for name, bursts in measured.bursts.items()},
        "messages_s": {name: round(measured.rate(name), 1) for name in measured.bursts},
        "cpu_s_per_1000": {name: round(measured.cpu(name), 2) for name in measured.bursts},
        "pss_idle_mb": round(measured.idle_mb, 1),
        "pss_load_mb": round(measured.load_mb, 1),
        "p50_ms": round(latency.p50_ms, 1) if latency else None,
        "p99_ms": round(latency.p99_ms, 1) if latency else None,
    }


def as_text(document: dict[str, Any]) -> str:
    """For a terminal: messages a second, CPU, memory, latency."""
    shapes = [shape.name for shape in (*SHAPES, *SIZES)]
    head = f"{'':<30}" + "".join(f"{name:>11}" for name in shapes)
    lines = [f"messages/s{head[10:]}{'CPU s/1000':>12}{'PSS MB':>12}{'p50 ms':>8}{'p99 ms':>8}"]
    for entry in document["systems"].values():
        rates = "".join(f"{_number(entry['messages_s'].get(name)):>11}" for name in shapes)
        cpu = _number(entry["cpu_s_per_1000"].get("20 reused"), 2)
        memory = f"{entry['pss_idle_mb']:.0f}→{entry['pss_load_mb']:.0f}"
        p50, p99 = _number(entry["p50_ms"], 1), _number(entry["p99_ms"], 1)
        flaw = "  (failed its check)" if entry["checked"] is False else ""
        lines.append(f"{entry['title'][:29]:<30}{rates}{cpu:>12}{memory:>12}{p50:>8}{p99:>8}{flaw}")
    return "\n".join(lines)


def _number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def compared(document: dict[str, Any], before: dict[str, Any]) -> list[str]:
    """What moved by more than MOVED since another run, each divided by the calibrations."""
    worth = _worth(document) / _worth(before)
    lines = []
    for name, entry in document["systems"].items():
        old = before["systems"].get(name, {}).get("messages_s", {})
        for shape, rate in entry["messages_s"].items():
            if old.get(shape) and abs(ratio := rate / old[shape] / worth - 1) > MOVED:
                lines.append(f"{name}, {shape}: {ratio:+.0%} ({old[shape]:.0f} → {rate:.0f}/s)")
    return lines


def _worth(document: dict[str, Any]) -> float:
    signatures = document["machine"]["rsa_2048_a_s"]
    return float(sum(signatures) / len(signatures))
