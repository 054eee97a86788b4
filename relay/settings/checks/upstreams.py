"""What spans several keys of an upstream: one kind of URL, one place for the password."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from relay.core.config import SmtpHost
from relay.settings.findings import Findings
from relay.settings.matching import EACH, matches
from relay.settings.problems import Wrong, shown
from relay.settings.upstream_url import Maildir, parse_upstream_url, refuse_plaintext
from relay.settings.yaml.document import Document, Path


def check_upstreams(document: Document, findings: Findings) -> None:
    """Add to `findings` what is wrong between the keys of each upstream."""
    for path, upstream in matches(document.data, ("upstreams", EACH)):
        if isinstance(upstream, dict):
            for inner, wrong in _complaints(upstream):
                findings.add(document.value_at((*path, *inner)), wrong.text, wrong.hint)


def _complaints(upstream: dict[str, Any]) -> list[tuple[Path, Wrong]]:
    urls = _urls(upstream.get("url"))
    if any(isinstance(url, Maildir) for _, url in urls):
        return _of_maildir(upstream, len(urls))
    return _of_pair(upstream) + _of_login(upstream, urls)


def _urls(value: Any) -> list[tuple[Path, SmtpHost | Maildir]]:
    """Those that the schema has nothing against."""
    found: list[tuple[Path, SmtpHost | Maildir]] = []
    for number, text in enumerate(value if isinstance(value, list) else [value]):
        try:
            if isinstance(text, str):
                found.append((("url", number), parse_upstream_url(text)))
        except Wrong:
            continue
    return found


def _of_maildir(upstream: dict[str, Any], url_count: int) -> list[tuple[Path, Wrong]]:
    complaints: list[tuple[Path, Wrong]] = [
        ((key,), Wrong(f"{shown(key)} means nothing for a maildir", "leave it out"))
        for key in upstream
        if key in {"username", "password", "ca_file", "verify", "pool", "timeouts"}
    ]
    if url_count > 1:
        complaints.append((("url",), Wrong("a maildir must be the only url of its upstream")))
    return complaints


def _of_pair(upstream: dict[str, Any]) -> list[tuple[Path, Wrong]]:
    given = [key for key in ("username", "password") if key in upstream]
    if len(given) != 1:
        return []
    other = "password" if given == ["username"] else "username"
    return [((given[0],), Wrong(f"{given[0]} needs {other} beside it"))]


def _of_login(
    upstream: dict[str, Any], urls: list[tuple[Path, SmtpHost | Maildir]]
) -> list[tuple[Path, Wrong]]:
    complaints: list[tuple[Path, Wrong]] = []
    for path, url in urls:
        if not isinstance(url, SmtpHost) or "password" not in upstream:
            continue
        if url.password is not None:
            wrong = Wrong("the URL and the keys both give a password", "leave one of them out")
            complaints.append((path, wrong))
            continue
        try:
            refuse_plaintext(replace(url, username="", password=""))  # none  # nosec B106
        except Wrong as wrong:
            complaints.append((path, wrong))
    return complaints
