"""Requests to the HTTP API: JSON bodies, raw messages, headers, addresses, paths and queries.

The first byte says what the rest is. Whatever comes: a whole answer that is no internal failure,
and what reaches the relay is a message of that tenant with the fields that were asked for.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from email import message_from_bytes
from email.policy import compat32
from typing import Any

from relay.core.mail.message import Submission
from tests.fuzz.api_site import TOKEN, Answered, ask, build

_EMAIL = b'{"from": "Acme <a@news.acme.example>", "to": ["b@receiver.example"], "subject": "s", '
_RAW = b"From: a@news.acme.example\r\nTo: b@receiver.example\r\nSubject: s\r\n\r\nx\r\n"
SEEDS = (
    b"\0" + _EMAIL + b'"text": "t", "html": "<p>h</p>"}',
    b"\0" + _EMAIL + b'"headers": {"List-Unsubscribe": "<https://x>", "X-A": "\\u00e4"}, "text": "t"}',
    b"\0" + _EMAIL + b'"attachments": [{"filename": "a.pdf", "content": "eA==", "content_type": "a/b"}]}',
    b'\0{"from": "\\"A, B\\" <a@acme.example>", "to": "x@y.z", "cc": ["c@d.e"], "bcc": "f@g.h", "reply_to": "i@j.k"}',
    b"\1\0" + _RAW,
    b"\1to=c@receiver.example&to=d@e.f&from=bounces@news.acme.example\0" + _RAW.replace(b"\r\n", b"\n"),
    b"\2[" + _EMAIL + b'"text": "1"}, ' + _EMAIL + b'"text": "2", "class": "transactional"}]',
    b"\3/api/warmup?limit=2&state=warming&domain=news&after=a&tenant=acme",
    b"\3/api/warmup/status/news.acme.example@outbound",
    b"\3/api/audit?limit=3&subject=x&before=y",
    b"\3/api/openapi.json",
    b'\4/api/warmup/start\n{"domain": "news.acme.example", "upstream": "warm"}',
    b'\4/api/warmup/pause/news.acme.example\n{"reason": "why"}',
    b'\5idempotency-key: k\nif-none-match: W/"x"\ncontent-type: application/json; charset=utf-8\n\n' + _EMAIL + b'"text": "t"}',
    b"\5authorization: Basic eDp5\ncontent-length: 5\n\nhello",
)  # fmt: skip
DICTIONARY = (
    b"/api/", b"/warmup/", b"status/", b"/emails", b"/batch", b"/audit", b"?to=", b"&from=", b"%0d%0a",
    b"%00", b"\\u0000", b"\\r\\n", b"\\ud800", b'"headers": {"', b'"attachments": [{', b'"content_id": "',
    b"@news.acme.example", b"@evil.example", b"<a@evil.example>", b"\r\nFrom: ", b"\r\nBcc: ", b"=?utf-8?B?",
    b"application/json", b"message/rfc822", b"idempotency-key: ", b'"class": ', b"1e999", b"null",
)  # fmt: skip

BUILT = build()
_ALLOWED = {200, 201, 207, 304, 400, 401, 403, 404, 405, 409, 413, 415, 422}
_OF_OURS = {"from", "to", "cc", "reply-to", "subject", "x-warmup-class", "mime-version"}
_OF_PARTS = {"content-type", "content-transfer-encoding", "content-disposition", "content-id"}
_TARGET = re.compile(rb"[\x21-\x7e]+")
_JSON = (b"content-type", b"application/json")
_AUTHORIZED = (b"authorization", b"Bearer " + TOKEN.encode())
_MOST_LINE = 998


class _Complaints(logging.Handler):
    """What the web could not explain."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(f"{record.getMessage()} {record.exc_info}")


def run(data: bytes) -> None:
    """One request, twice where it has an Idempotency-Key."""
    kind, rest = (data[0] % 6 if data else 0), data[1:]
    method, target, headers, body = request_of(kind, rest)
    if not _TARGET.fullmatch(target) or target.partition(b"?")[0].rstrip(b"/") == b"/api/stream":
        return
    answers, taken, complaints = asyncio.run(_asked(method, target, headers, body))
    assert complaints == []
    for answer in answers:
        _check_answer(answer)
    if dict(headers).get(b"idempotency-key"):
        assert len(taken) <= max(1, body.count(b'"from"')), "it was sent twice"
    for submission in taken:
        _check_any(submission)
        if kind == 1:
            assert submission.envelope.recipients
            assert submission.content in {body, body.replace(b"\n", b"\r\n")}
        else:
            _check_composed(submission, body)


def request_of(kind: int, rest: bytes) -> tuple[str, bytes, list[tuple[bytes, bytes]], bytes]:
    match kind:
        case 0:
            return "POST", b"/api/emails", [_AUTHORIZED, _JSON], rest
        case 1:
            query, _, body = rest.partition(b"\0")
            target = b"/api/emails" + (b"?" + query if query else b"")
            return "POST", target, [_AUTHORIZED, (b"content-type", b"message/rfc822")], body
        case 2:
            return "POST", b"/api/emails/batch", [_AUTHORIZED, _JSON], rest
        case 3:
            return "GET", rest, [_AUTHORIZED], b""
        case 4:
            target, _, body = rest.partition(b"\n")
            return "POST", target, [_AUTHORIZED, _JSON], body
    head, _, body = rest.partition(b"\n\n")
    return "POST", b"/api/emails", [_AUTHORIZED, _JSON, *_fields(head)], body


def _fields(head: bytes) -> list[tuple[bytes, bytes]]:
    """Those that an HTTP server would let through, as it would (RFC 9110 §5.5)."""
    pairs = [line.partition(b":")[::2] for line in head.split(b"\n")]
    return [
        (name.lower(), value.strip(b" \t"))
        for name, value in pairs
        if re.fullmatch(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name)
        and not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", value)
    ]


async def _asked(
    method: str, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> tuple[list[Answered], list[Submission], list[str]]:
    complaints, logger = _Complaints(), logging.getLogger("relay")
    logger.addHandler(complaints)
    BUILT.forget()
    times = 2 if dict(headers).get(b"idempotency-key") else 1
    try:
        answers = [await ask(BUILT.app, method, target, headers, body) for _ in range(times)]
    finally:
        logger.removeHandler(complaints)
    return answers, list(BUILT.relay.submissions), complaints.found


def _check_answer(answer: Answered) -> None:
    assert answer.status in _ALLOWED, (answer.status, answer.body)
    for name, value in answer.headers:
        assert not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", name + value), answer.headers
    kind = answer.header(b"content-type").partition(b";")[0]
    if kind in {b"application/json", b"application/problem+json"}:
        told = json.loads(answer.body.decode())
        assert answer.status < 400 or {"title", "status", "detail"} <= told.keys()
    else:
        assert kind == b"text/html" or not answer.body
    if answer.status == 422 and b"errors" in answer.body:
        assert len(answer.body) < 20_000, "a refusal is no echo"


def _check_any(submission: Submission) -> None:
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", submission.content)
    for address in (submission.envelope.mail_from, *_to(submission)):
        assert re.fullmatch(r"[\x21-\x7e]+@[a-z0-9.-]+", address), address
        assert "<" not in address
    assert submission.envelope.mail_from.partition("@")[2] in {
        "news.acme.example", "acme.example", "bounces.news.acme.example", "bounces.acme.example",
    }  # fmt: skip


def _to(submission: Submission) -> list[str]:
    return [each.address for each in submission.envelope.recipients]


def _check_composed(submission: Submission, body: bytes) -> None:
    """Read by another parser, it has the fields that were asked for, once, and no more."""
    asked = json.loads(body)
    emails = asked if isinstance(asked, list) else [asked]
    given = {name.lower() for each in emails for name in each.get("headers") or {}}
    assert submission.content.isascii()
    assert max(map(len, submission.content.split(b"\r\n"))) <= _MOST_LINE
    message = message_from_bytes(submission.content, policy=compat32)
    names = [name.lower() for name in message.keys()]  # noqa: SIM118  it has one twice
    assert set(names) <= _OF_OURS | _OF_PARTS | given, names
    assert all(names.count(name) <= 1 for name in _OF_OURS | _OF_PARTS), names
    assert message.defects == []
    assert any(set(_to(submission)) <= _addresses_of(each) for each in emails)


def _addresses_of(email: dict[str, Any]) -> set[str]:
    """Whoever a simple reader finds in to, cc and bcc."""
    found: set[str] = set()
    for name in ("to", "cc", "bcc"):
        value = email.get(name) or []
        for text in [value] if isinstance(value, str) else value:
            inside = re.search(r"<([^<>]*)>\s*\Z", text)
            local, _, domain = (inside[1] if inside else text).strip().rpartition("@")
            plain = domain.rstrip(".").encode("ascii", "ignore").decode().lower() == domain.lower()
            found.add(f"{local}@{domain.rstrip('.').lower()}" if plain else "?")
            if not plain:  # an IDN: which A-label it gets is normalize_domain's business
                return _Anything()
    return found


class _Anything(set[str]):
    """A set that has everything in it."""

    def __ge__(self, _other: object) -> bool:
        return True
