"""The metrics of several workers as one page.

Each worker keeps its counts in files that it maps into memory, under its number: a worker
that is killed and started again counts on from there, so that no counter ever goes back and
nothing that was counted is lost. How the values of several workers become one stands in the
table of metrics: counters and histograms are sums, gauges say it themselves
(`multiprocess_mode`). Here is only what the supervisor tells itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from relay.telemetry.kept_counts import KeptCounts
from relay.telemetry.metrics import QuotaGauges
from relay.telemetry.processes import ProcessNumbers
from relay.telemetry.values import in_files, keep_in

TOLD_ONCE: Final = frozenset({"relay_store_up"})
"""Asked by the supervisor itself at each scrape; what the workers say of it is left out."""

NO_WORKERS: Final = frozenset({"supervisor", "web"})
"""Processes of a relay that take no mail by SMTP."""

_DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"


def share_values(directory: Path, number: int) -> None:
    """Keep the values of metrics made from now on in `directory`, as worker `number`.

    For the whole process, as the library has it: call it once, before the first `Metrics`.
    """
    os.environ[_DIRECTORY] = str(directory)
    keep_in(in_files(cache(lambda kind: KeptCounts(str(directory / f"{kind}_{number}.db")))))


def forget_gauges(directory: Path, number: int) -> None:
    """Worker `number` is dead: its gauges are gone, its counts stay."""
    mark_process_dead(number, str(directory))


class Summed(Collector):
    """What the workers have in `directory`, put together."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def describe(self) -> Iterable[Metric]:
        """Nothing is known before a worker has counted."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Each family once. A file that is still empty belongs to a worker that just begins."""
        files = [str(file) for file in sorted(self._directory.glob("*.db")) if _is_begun(file)]
        for family in MultiProcessCollector.merge(files):
            if family.name not in TOLD_ONCE:
                yield family


def _is_begun(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except OSError:
        return False


class Together(Collector):
    """What this process has in `own`, with the counts of those beside it in `directory` added."""

    def __init__(self, own: CollectorRegistry, directory: Path) -> None:
        self._own = own
        self._beside = Summed(directory)

    def describe(self) -> Iterable[Metric]:
        """Nothing: `own` may be read only when it is scraped."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every family of `own`. Gauges are its own alone: they tell of one process."""
        beside = {family.name: family for family in self._beside.collect()}
        for family in self._own.collect():
            more = beside.get(family.name)
            is_count = more is not None and family.type in {"counter", "histogram"}
            yield _added(family, more) if more is not None and is_count else family


def _added(family: Metric, more: Metric) -> Metric:
    values = {_series(sample): sample for sample in family.samples}
    for sample in more.samples:
        before = values.get(_series(sample))
        value = sample.value + (before.value if before else 0)
        values[_series(sample)] = sample._replace(value=value)
    found = Metric(family.name, family.documentation, family.type)
    found.samples = list(values.values())
    return found


def _series(sample: Sample) -> tuple[str, frozenset[tuple[str, str]]]:
    return sample.name, frozenset(sample.labels.items())


def text_of(own: CollectorRegistry, beside: Path) -> bytes:
    """The exposition of `own`, with what processes beside this one have counted in `beside`."""
    both = CollectorRegistry()
    both.register(Together(own, beside))
    return generate_latest(both)


class SharedMetrics:
    """The page of a supervisor. `processes` tells name and pid of each process that lives."""

    def __init__(
        self, directory: Path, workers: int, processes: Callable[[], Mapping[str, int]]
    ) -> None:
        to = self.registry = CollectorRegistry()
        self.quota = QuotaGauges()
        self._summed = Summed(directory)
        to.register(self._summed)
        to.register(self.quota)
        to.register(ProcessNumbers(processes))
        self.store_up = Gauge("relay_store_up", "1 if the store takes writes", registry=to)
        self.workers = Gauge("relay_workers", "Worker processes that serve", registry=to)
        self.workers.set_function(lambda: len(processes().keys() - NO_WORKERS))
        wanted = Gauge("relay_workers_wanted", "Worker processes by the config", registry=to)
        wanted.set(workers)
        self.restarts = Counter(
            "relay_worker_restarts", "Workers that died and were started again", registry=to
        )

    def named(self) -> set[str]:
        """The domains that the workers' counters name."""
        families = (each for each in self._summed.collect() if each.name == "relay_messages")
        return {sample.labels["domain"] for each in families for sample in each.samples}

    def text(self) -> bytes:
        """The exposition, text format 0.0.4."""
        return generate_latest(self.registry)
