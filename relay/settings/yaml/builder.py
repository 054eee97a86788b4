"""Nodes from the events of the YAML parser, with what a config may not hold refused.

Refused: tags, merge keys, directives, several documents, keys that are not plain text,
duplicate keys, nestings and aliases that nobody writes by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from yaml import MappingStartEvent

from relay.settings.findings import START, Findings, Position
from relay.settings.problems import Substituted, Wrong, shown
from relay.settings.yaml.document import Node
from relay.settings.yaml.scalars import resolve, substitute

MAX_DEPTH: Final = 50
MAX_VALUES: Final = 4_000_000
MAX_ALIASED: Final = 100_000
"""Values that aliases may add, written out; in a larger file as many as it has characters."""

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def may_be_too_much(text: str, before: Iterable[str]) -> bool:
    """Whether `text` might hold more than MAX_VALUES; each value has one of `before` in front."""
    return sum(map(text.count, before)) > MAX_VALUES


class Stop(Exception):
    """Nothing after this place can be read sensibly."""

    def __init__(self, at: Position, text: str, hint: str = "") -> None:
        self.at = at
        self.wrong = Wrong(text, hint)


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet; `key` waits for its value."""

    node: Node
    anchor: str | None
    key: str | None = None
    key_at: Position = START
    is_skipped: bool = False

    @property
    def wants_key(self) -> bool:
        return isinstance(self.node.value, dict) and self.key is None


class Builder:
    """Makes nodes of the events of a text of `length` characters."""

    def __init__(self, findings: Findings, env: Mapping[str, str] | None, length: int) -> None:
        self.root: Node | None = None
        self._findings = findings
        self._env = env
        self._open: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}
        self._values = 0
        self._aliased = 0
        self._most_aliased = max(MAX_ALIASED, length)
        self._documents = 0

    def take(self, event: Any) -> None:
        """The next event of the parser. Raises Stop."""
        handle = _HANDLERS.get(type(event).__name__)
        if handle:
            mark = event.start_mark
            handle(self, event, (mark.line + 1, mark.column + 1))

    def document(self, event: Any, at: Position) -> None:
        """A document begins."""
        self._documents += 1
        if self._documents > 1:
            raise Stop(at, "a second document begins here; a file holds one")
        if event.tags or event.version not in {None, (1, 2)}:
            raise Stop(START, "YAML directives are not supported", "remove the line that begins %")

    def scalar(self, event: Any, at: Position) -> None:
        """A key or a value."""
        self._refuse_tag(event, at)
        is_plain = not event.style
        is_key = bool(self._open) and self._open[-1].wants_key
        value = self._meaning(event.value, at, is_plain=is_plain and not is_key)
        if is_key:
            self._key(value, at, is_merge=is_plain and value == "<<")
            self._remember(event.anchor, Node(value, at))
            return
        node = Node(value, at)
        self._remember(event.anchor, node)
        self._add(node)

    def collection(self, event: Any, at: Position) -> None:
        """A list or a mapping begins."""
        self._refuse_tag(event, at)
        if self._open and self._open[-1].wants_key:
            raise Stop(at, "a key must be plain text")
        if len(self._open) >= MAX_DEPTH:
            raise Stop(at, f"nested more than {MAX_DEPTH} deep")
        value: Any = {} if isinstance(event, MappingStartEvent) else []
        self._remember(event.anchor, None)
        self._open.append(_Open(Node(value, at), event.anchor))

    def end(self, _event: Any, _at: Position) -> None:
        """The innermost list or mapping ends."""
        done = self._open.pop()
        self._remember(done.anchor, done.node)
        self._add(done.node)

    def alias(self, event: Any, at: Position) -> None:
        """A value that stands elsewhere, under an anchor."""
        if self._open and self._open[-1].wants_key:
            raise Stop(at, "a key must be plain text")
        if event.anchor not in self._anchors:
            raise Stop(at, f"there is no anchor &{event.anchor} before this alias")
        node = self._anchors[event.anchor]
        if node is None:
            raise Stop(at, f"*{event.anchor} stands inside of what it names")
        self._aliased += node.size
        if self._aliased > self._most_aliased:
            raise Stop(at, f"aliases add up to more than {self._most_aliased} values")
        self._add(Node(node.value, at, node.size, node.items, node.keys, node.masked))

    def _refuse_tag(self, event: Any, at: Position) -> None:
        if event.tag is not None:
            wrong = Wrong(f"tags such as {shown(event.tag)} are not supported", "leave it out")
            self._findings.unreadable(at, wrong)

    def _remember(self, anchor: str | None, node: Node | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node

    def _meaning(self, text: str, at: Position, *, is_plain: bool) -> Any:
        try:
            return self._read(text, is_plain=is_plain)
        except Wrong as wrong:
            self._findings.unreadable(at, wrong)
            return text

    def _read(self, text: str, *, is_plain: bool) -> Any:
        if self._env is not None and "${" in text:
            text = substitute(text, self._env)
            is_plain = False
        if _CONTROL.search(text):
            raise Wrong("control characters are not allowed in a value")
        return resolve(text) if is_plain else text

    def _key(self, key: str, at: Position, *, is_merge: bool) -> None:
        mapping = self._open[-1]
        mapping.key, mapping.key_at = key, at
        first = mapping.node.keys.get(key)
        mapping.is_skipped = is_merge or first is not None
        if is_merge:
            self._findings.add(at, "merge keys (<<) are not supported", "write the keys out")
        elif first:
            self._findings.add(at, f"duplicate key {shown(key)}: it stands in line {first[0]} too")

    def _add(self, node: Node) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            raise Stop(node.at, f"more than {MAX_VALUES} values in one file")
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        parent.node.size += node.size
        if isinstance(parent.node.value, list):
            parent.node.items[len(parent.node.value)] = node
            parent.node.value.append(node.value)
            return
        self._add_to_mapping(parent, node)

    def _add_to_mapping(self, parent: _Open, node: Node) -> None:
        key, parent.key = parent.key, None
        if key is not None and not parent.is_skipped:
            parent.node.keys[key] = parent.key_at
            if isinstance(key, Substituted):
                parent.node.masked.add(key)
            parent.node.items[key] = node
            parent.node.value[key] = node.value


_HANDLERS: dict[str, Any] = {
    "DocumentStartEvent": Builder.document,
    "ScalarEvent": Builder.scalar,
    "SequenceStartEvent": Builder.collection,
    "MappingStartEvent": Builder.collection,
    "SequenceEndEvent": Builder.end,
    "MappingEndEvent": Builder.end,
    "AliasEvent": Builder.alias,
}
