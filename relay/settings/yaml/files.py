"""YAML 1.2 from a file, bounded, with positions; the subset that a config needs.

Built on PyYAML's events (libyaml where it is there), not on its composer, which hides
explicit tags. What is made of the events, and refused, is `builder.py`; what scalars mean
`scalars.py`; syntax errors in words `syntax.py`; large files in a hurry `regular.py`
and `json_text.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml as pyyaml

from relay.settings.findings import START, Findings, Position
from relay.settings.prints import note
from relay.settings.problems import Wrong
from relay.settings.yaml.builder import Builder, Stop
from relay.settings.yaml.document import Document, Node
from relay.settings.yaml.json_text import read_json
from relay.settings.yaml.regular import read_regular
from relay.settings.yaml.syntax import in_words

MAX_BYTES = 64 * 1024 * 1024
LARGE_BYTES = 262_144
"""From this size on a document is read without places, which takes a sixth of the time."""

_LOADER: Any = getattr(pyyaml, "CSafeLoader", pyyaml.SafeLoader)
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|(?<!^)\ufeff"
)


class NotText(Wrong):
    """The file is not UTF-8; `at` is where it ceases to be."""

    def __init__(self, before: str) -> None:
        super().__init__("the file is not UTF-8 text")
        self.at: Position = (before.count("\n") + 1, len(before) - before.rfind("\n"))


def read_yaml(
    path: Path, findings: Findings, env: Mapping[str, str] | None = None
) -> Document | None:
    """The document in the file `path`, or None where there is none; never raises.

    What is wrong goes to `findings`. With `env`, `${NAME}` in scalars is substituted.
    """
    try:
        text = read_text(path, MAX_BYTES)
    except NotText as wrong:
        findings.unreadable(wrong.at, wrong)
        return None
    except Wrong as wrong:
        findings.unreadable(START, wrong)
        return None
    return parse_yaml(text, findings, env)


def read_text(path: Path, most_bytes: int) -> str:
    """The file's UTF-8 text. Raises Wrong, also for a file of more than `most_bytes`."""
    try:
        content = _content(path, most_bytes)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Wrong(f"the file cannot be read: {reason}") from None
    if content is None:
        raise Wrong("this is not a file" if path.exists() else "there is no such file")
    if len(content) > most_bytes:
        raise Wrong(f"the file is larger than {most_bytes} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotText(error.object[: error.start].decode()) from None


def _content(path: Path, most_bytes: int) -> bytes | None:
    """None where there is no regular file: a pipe or device might never end."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        note(path, file)
        return file.read(most_bytes + 1)


def parse_yaml(
    text: str, findings: Findings, env: Mapping[str, str] | None = None
) -> Document | None:
    """The document in `text`, or None where there is none. See `read_yaml`."""
    odd = first_unprintable(text)
    if odd:
        line = text.count("\n", 0, odd.start()) + 1
        column = odd.start() - text.rfind("\n", 0, odd.start())
        findings.add((line, column), f"the character U+{ord(odd[0]):04X} is not allowed in YAML")
        return None
    read = read_regular(text, env) or read_json(text, env) if len(text) >= LARGE_BYTES else None
    if read is not None:
        data, root_keys = read
        return Document(findings.file, data, partial(_placed, text, findings.file, env), root_keys)
    root = _nodes(text, findings, env)
    return None if root is None else Document.of(findings.file, root)


def first_unprintable(text: str) -> re.Match[str] | None:
    """The first character of `text` that YAML does not allow."""
    if text.replace("\n", " ").isprintable():  # stricter than YAML, and a tenth of the time
        return None
    return _UNPRINTABLE.search(text)


def _placed(text: str, file: str, env: Mapping[str, str] | None) -> Node:
    """What was read once already, with the places."""
    return _nodes(text, Findings(file), env) or Node(None, START)


def _nodes(text: str, findings: Findings, env: Mapping[str, str] | None) -> Node | None:
    builder = Builder(findings, env, len(text))
    try:
        for event in pyyaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except Stop as stop:
        findings.add(stop.at, stop.wrong.text, stop.wrong.hint)
        return None
    except pyyaml.YAMLError as error:
        at, wrong = in_words(error, text)
        findings.add(at, wrong.text, wrong.hint)
        return None
    return builder.root or Node(None, START)
