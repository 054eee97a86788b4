"""Which keys each domain has, in little memory: a store may hold a million domains.

Most domains have keys of the same kinds, so what is kept of one is its name and a tuple that it
shares with all that are alike. Knows how keys are spelled (`keys.py`), and nothing of values.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from relay.store import keys


class Inventory:
    """Names go in one by one, in any order, some of them twice; domains come out whole."""

    def __init__(self) -> None:
        self._counted: dict[str, tuple[str, ...]] = {}
        self._messages: defaultdict[str, set[str]] = defaultdict(set)
        self._grown: dict[tuple[tuple[str, ...], str], tuple[str, ...]] = {}

    def add(self, names: Iterable[str]) -> None:
        """Note `names`, which all have a hash tag, and what is counted with them."""
        for name in names:
            tag, ending = keys.tag_of(name), keys.ending_of(name)
            if keys.is_message(name):
                self._messages[tag].add(ending)
                continue
            before = self._counted.get(tag, ())
            if ending not in before:
                self._counted[tag] = self._with(before, ending, name)

    def _with(self, before: tuple[str, ...], ending: str, name: str) -> tuple[str, ...]:
        after = self._grown.get((before, ending))
        if after is None:
            more = map(keys.ending_of, keys.counted_with(name))
            after = tuple(sorted({*before, ending, *more}))
            # The same for all that have come here by another way.
            after = self._grown.setdefault((after, ""), after)
            self._grown[before, ending] = after
        return after

    def domains(self) -> Iterator[tuple[list[str], list[str]]]:
        """For each hash tag the keys that count, and those of messages; each in order."""
        for tag, endings in self._counted.items():
            yield _named(tag, endings), _named(tag, self._messages.pop(tag, ()))
        for tag, messages in self._messages.items():
            yield [], _named(tag, messages)


def _named(tag: str, endings: Iterable[str]) -> list[str]:
    return [keys.of(tag, ending) for ending in sorted(endings)]
