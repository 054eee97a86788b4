"""A YAML file as plain data, with the place of every key and value.

A large file is read without places, which only somebody asks for who has a problem to tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from relay.settings.findings import START, Position
from relay.settings.problems import Substituted

Path = tuple[str | int, ...]
"""Keys and list indexes that lead from the root of a document to a value."""


@dataclass(slots=True)
class Node:
    """One value. `items` holds the children of a list (by index) or a mapping (by key).

    `size` counts the values in it, itself included, with aliases written out. `masked` are the
    keys that came (partly) from the environment: whoever names one in a message hides it.
    """

    value: Any
    at: Position
    size: int = 1
    items: dict[str | int, Node] = field(default_factory=dict)
    keys: dict[str, Position] = field(default_factory=dict)
    masked: set[str] = field(default_factory=set)


class Document:
    """A file that could be read. Mapping keys are always text, as they are written.

    `data` is dict, list, str, int, float, bool or None. `placed` gives the same with its
    places: it is called once, when the first place is asked for that `root_keys` does not tell.
    """

    __slots__ = ("_placed", "_root", "_root_keys", "data", "file")

    def __init__(
        self,
        file: str,
        data: Any,
        placed: Callable[[], Node],
        root_keys: Mapping[str, Position] | None = None,
    ) -> None:
        self.file = file
        self.data = data
        self._placed = placed
        self._root_keys = root_keys or {}
        self._root: Node | None = None

    @classmethod
    def of(cls, file: str, root: Node) -> Document:
        """The document whose places are known."""
        return cls(file, root.value, lambda: root)

    def value_at(self, path: Path) -> Position:
        """Where the value at `path` begins, or the innermost one around it that exists."""
        return self._walk(path)[-1].at

    def key_at(self, path: Path) -> Position:
        """Where the key that `path` ends in stands; for a list item, the item."""
        if not path:
            return START
        if len(path) == 1 and path[0] in self._root_keys:
            return self._root_keys[str(path[0])]
        nodes = self._walk(path[:-1])
        if len(nodes) <= len(path) - 1:
            return nodes[-1].at
        return nodes[-1].keys.get(str(path[-1])) or self.value_at(path)

    def as_written(self, path: Path) -> Path:
        """`path` with every key that came from the environment marked as Substituted."""
        nodes = [*self._walk(path), *[Node(None, START)] * len(path)]
        pairs = zip(path, nodes, strict=False)
        return tuple(
            Substituted(step) if isinstance(step, str) and step in node.masked else step
            for step, node in pairs
        )

    def _walk(self, path: Path) -> list[Node]:
        if self._root is None:
            self._root = self._placed()
        nodes = [self._root]
        for step in path:
            child = nodes[-1].items.get(step)
            if child is None:
                break
            nodes.append(child)
        return nodes
