"""The usual `process_*` metrics, for each process of the relay by its name.

Not summed: processor time of a worker that was started again begins anew, which a scraper
understands of one process and not of a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from prometheus_client import ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.registry import Collector


class ProcessNumbers(Collector):
    """Processor time, memory, open files and age. Linux only; elsewhere it tells nothing."""

    def __init__(self, processes: Callable[[], Mapping[str, int]]) -> None:
        self._processes = processes

    def describe(self) -> Iterable[Metric]:
        """Nothing: names are known when it is scraped."""
        return []

    def collect(self) -> Iterator[Metric]:
        """One family each, with a sample for each process; one that just ended has none."""
        families: dict[str, Metric] = {}
        for name, pid in self._processes().items():
            for found in ProcessCollector(pid=partial(int, pid), registry=None).collect():
                family = families.setdefault(
                    found.name, Metric(found.name, found.documentation, found.type)
                )
                for sample in found.samples:
                    family.add_sample(sample.name, {"process": name}, sample.value)
        yield from families.values()
