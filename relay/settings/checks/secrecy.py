"""Passwords that stand in a file which everybody on the machine may read.

Refused, so that it is noticed before it matters. A password from the environment or from a
file of its own does not stand here; the secret of a credential is a keyed hash, not a password.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any
from urllib.parse import urlsplit

from relay.core.filemode import is_open_to_all
from relay.settings.findings import Findings
from relay.settings.matching import EACH, matches
from relay.settings.problems import Substituted
from relay.settings.yaml.document import Document, Path

_URLS = (
    ("upstreams", EACH, "url"),
    ("upstreams", EACH, "url", EACH),
    ("store",),
    ("store", "url"),
)


def check_secrecy(document: Document, file: FilePath, findings: Findings) -> None:
    """Add to `findings` every password in `document`, if all may read `file`."""
    try:
        mode = file.stat().st_mode
    except OSError:  # gone since it was read: the watcher will tell
        return
    if not is_open_to_all(mode):
        return
    for path in _passwords(document.data):
        text = f"a password stands in a file that everybody can read ({mode & 0o777:04o})"
        hint = "chmod 0600 or 0640, or take it from ${NAME} or file:PATH"
        findings.add(document.value_at(path), text, hint)


def _passwords(data: Any) -> Iterator[Path]:
    for path, value in matches(data, ("upstreams", EACH, "password")):
        if isinstance(value, str) and not _is_elsewhere(value):
            yield path
    for pattern in _URLS:
        for path, value in matches(data, pattern):
            if isinstance(value, str) and _holds_one(value):
                yield path


def _is_elsewhere(value: str) -> bool:
    return isinstance(value, Substituted) or value.startswith("file:")


def _holds_one(url: str) -> bool:
    if _is_elsewhere(url):
        return False
    try:
        return bool(urlsplit(url).password)
    except ValueError:  # no URL: somebody else's complaint
        return False
