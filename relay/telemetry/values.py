"""The numbers behind the metrics, as the library asks for them, raised in place.

The library takes a lock, looks at labels and at the id of the process at every count, of which a
message has seventeen. Here everything is counted on the event loop, so `value` is simply read
and set. Knows no metric by name.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Any, ClassVar, cast

from prometheus_client import Counter, Histogram, values
from prometheus_client.mmap_dict import mmap_key

from relay.telemetry.kept_counts import KeptCounts


class InMemory:
    """One number of a process that counts alone."""

    __slots__ = ("value",)
    _multiprocess = False

    def __init__(self, *_: Any, **__: Any) -> None:
        self.value = 0.0

    def inc(self, amount: float) -> None:
        """Raise it."""
        self.value += amount

    def set(self, value: float, timestamp: float | None = None) -> None:  # noqa: ARG002
        """Replace it."""
        self.value = value

    def get(self) -> float:
        """The number."""
        return self.value

    def get_exemplar(self) -> None:
        """There are none."""


class InFile:
    """One number of several processes: in the file of its kind and of this process.

    `open_file` gives that file, by the kind. Made into the class for one process by `in_files`.
    """

    _multiprocess = True
    open_file: ClassVar[Callable[[str], KeptCounts]]

    def __init__(
        self,
        kind: str,
        metric: str,
        name: str,
        labels: list[str],
        values: list[str],
        about: str,
        multiprocess_mode: str = "",
        **_: Any,
    ) -> None:
        self._file = type(self).open_file(
            f"{kind}_{multiprocess_mode}" if kind == "gauge" else kind
        )
        self._key = mmap_key(metric, name, labels, values, about)
        self._value = self._file.read_value(self._key)[0]

    @property
    def value(self) -> float:
        """As `InMemory.value`; what is set stands in the file at once."""
        return self._value

    @value.setter
    def value(self, value: float) -> None:
        self._value = value
        self._file.write_value(self._key, value, 0.0)

    def inc(self, amount: float) -> None:
        """Raise it."""
        self.value = self._value + amount

    def set(self, value: float, timestamp: float | None = None) -> None:
        """Replace it; `timestamp` is for gauges of which the latest counts."""
        self._value = value
        self._file.write_value(self._key, value, timestamp or 0.0)

    def get(self) -> float:
        """The number."""
        return self._value

    def get_exemplar(self) -> None:
        """There are none."""


def in_files(open_file: Callable[[str], KeptCounts]) -> type[InFile]:
    """`InFile` for this process."""
    return type("InFile", (InFile,), {"open_file": staticmethod(open_file)})


def keep_in(kind: type[InMemory | InFile]) -> None:
    """Metrics that are made from now on keep their numbers in values of this `kind`."""
    values.ValueClass = kind


class Stage:
    """A histogram of seconds, observed without the library's layers."""

    __slots__ = ("_bounds", "_hits", "_sum")

    def __init__(self, histogram: Histogram) -> None:
        # What `observe` of the library works on; test_values.py holds both to the same.
        self._bounds: list[float] = histogram._upper_bounds  # noqa: SLF001
        self._sum: InMemory | InFile = histogram._sum  # noqa: SLF001
        self._hits: list[InMemory | InFile] = histogram._buckets  # noqa: SLF001

    def observe(self, seconds: float) -> None:
        """One more took so long."""
        self._sum.value += seconds
        self._hits[bisect_left(self._bounds, seconds)].value += 1


def counted(counter: Counter) -> InMemory | InFile:
    """The number of `counter`, to be raised in place."""
    return cast("InMemory | InFile", counter._value)  # noqa: SLF001 - as in `Stage`
