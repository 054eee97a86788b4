"""The whole site of the web process without its sockets: real routes, real classification.

One request at a time; what it hands to the relay is kept. `ask` is what uvicorn would do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import unquote

from relay.admin.changing import Changing
from relay.concurrency.background import Background
from relay.core.config import Limits, WebConfig
from relay.core.errors import RelayError
from relay.core.mail.classify import classify
from relay.core.mail.message import Submission
from relay.core.reply import Reply
from relay.core.tenants.access import ApiToken, Scope
from relay.core.tenants.added import Offer
from relay.core.tenants.audit import AuditEntry, AuditWanted
from relay.core.tenants.published import DnsRecord
from relay.ports.domains import EVERY, By, DomainEdit, DomainRefused, DomainView, Which, Why
from relay.ports.relay import Accepted
from relay.ports.web import BadMessageOfBatch, Keeping, KeptAnswer
from relay.store.memory import MemoryStore
from relay.web.api.desk import Desk
from relay.web.api.stream import Streams
from relay.web.asgi import App, Message, Receive, Send, problem
from relay.web.asgi import Scope as AsgiScope
from relay.web.forward import Forward
from relay.web.site import site
from relay.web_process.outbox import Outbox, Sessions
from tests.corpus.submissions import DIRECTORY
from tests.unit.edge.house import FixedClock, FixedSettings
from tests.unit.edge.recording import NOW, RecordingRelay

TOKEN = "right"
MOST_BYTES = 200_000


@dataclass(frozen=True, slots=True)
class Answered:
    """An HTTP answer, whole."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> bytes:
        return dict(self.headers).get(name, b"")


class _Relay(RecordingRelay):
    """Classifies what it gets, as pipeline and batching do, and takes it."""

    async def relay(self, submission: Submission) -> Accepted:
        classified = classify(submission, DIRECTORY)
        assert classified.domain.tenant == submission.client.tenant.name == "acme"
        self.submissions.append(submission)
        return Accepted(Reply(250, "0.0", "Ok: queued as X"), None)

    async def relay_all(self, submissions: Sequence[Submission]) -> list[Accepted | RelayError]:
        for number, submission in enumerate(submissions):
            try:
                classify(submission, DIRECTORY)
            except RelayError as error:
                raise BadMessageOfBatch(number, error) from error
        return [await self.relay(submission) for submission in submissions]


@dataclass
class _Notes:
    """`AuditLog`, `Answers` and `Access` in one, in memory."""

    entries: list[AuditEntry] = field(default_factory=list)
    kept: dict[str, tuple[str, KeptAnswer | None]] = field(default_factory=dict)

    async def add(self, entry: AuditEntry) -> None:
        self.entries.append(entry)

    async def replace(self, before: AuditEntry, after: AuditEntry | None) -> None:
        self.entries.remove(before)
        self.entries += [after] if after else []

    async def page(self, _wanted: AuditWanted, limit: int) -> list[AuditEntry]:
        return self.entries[:limit]

    async def begin(self, key: str, digest: str) -> KeptAnswer | Keeping | None:
        if key not in self.kept:
            self.kept[key] = (digest, None)
            return None
        held, answer = self.kept[key]
        return Keeping.OTHER_REQUEST if held != digest else answer or Keeping.UNDER_WAY

    async def keep(self, key: str, digest: str, answer: KeptAnswer) -> None:
        self.kept[key] = (digest, answer)

    async def release(self, key: str) -> None:
        self.kept.pop(key)

    async def bearer(self, text: str) -> ApiToken | None:
        scopes = frozenset({Scope.READ, Scope.SEND, Scope.MANAGE})
        return ApiToken("t", "acme", scopes, "", NOW) if text == TOKEN else None

    async def admitted(
        self, text: str, _per_minute: int, _burst: int
    ) -> tuple[ApiToken, float] | None:
        found = await self.bearer(text)
        return None if found is None else (found, 0.0)


class _NoDomains:
    """`Domains` of a relay that has none and takes none: what asks for them is looked through."""

    async def add(self, name: str, tenant: str, wanted: DomainEdit, by: By) -> NoReturn:
        raise DomainRefused(Why.CONFLICT, "limits.added_domains is 0")

    async def change(self, name: str, wanted: DomainEdit, by: By) -> NoReturn:
        raise DomainRefused(Why.UNKNOWN, "there is no such domain")

    async def remove(self, name: str, by: By) -> NoReturn:
        raise DomainRefused(Why.UNKNOWN, "there is no such domain")

    verify = approve = one = remove

    def offer(self) -> Offer:
        return Offer(frozenset(), {})

    def all(self, by: By, which: Which = EVERY) -> Sequence[DomainView]:
        return []

    async def records(self, view: DomainView) -> tuple[DnsRecord, ...]:
        return ()


class _NoForward(Forward):
    """Nobody is behind it."""

    def __init__(self) -> None:
        """Nothing is opened."""

    async def __call__(self, _scope: AsgiScope, _receive: Receive, send: Send) -> None:
        await problem(404, "Not Found", "no relay here").send(send)


async def _no_pages(_scope: AsgiScope, _receive: Receive, send: Send) -> None:
    await problem(404, "Not Found", "no pages here").send(send)


@dataclass
class Built:
    """The application, and the relay behind it."""

    app: App
    relay: _Relay
    notes: _Notes
    store: MemoryStore

    def forget(self) -> None:
        """As after `build`, which takes a tenth of a second."""
        self.relay.submissions.clear()
        self.notes.entries.clear()
        self.notes.kept.clear()
        self.store.__init__(FixedClock())  # type: ignore[misc]  the application holds this one


def build() -> Built:
    relay, notes, clock = _Relay(), _Notes(), FixedClock()
    settings, store = FixedSettings(DIRECTORY), MemoryStore(clock)
    limits = Limits(message_bytes=MOST_BYTES, recipients=100)
    outbox = Outbox(relay, relay, Sessions("i"), Background(), clock, MOST_BYTES)
    changes = Changing(store, notes, clock)
    desk = Desk(settings, store, changes, notes, outbox, notes, clock, limits, _NoDomains())
    config = WebConfig("127.0.0.1", 0)
    app = site(desk, config, notes, _NoForward(), Streams(), _no_pages, "0")
    return Built(app, relay, notes, store)


async def ask(
    app: App, method: str, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> Answered:
    """One request as uvicorn hands it in; `target` and `headers` are what it lets through."""
    path, _, query = target.partition(b"?")
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": unquote(path.decode("ascii")), "raw_path": path,
        "query_string": query, "root_path": "", "headers": headers,
        "client": ("127.0.0.1", 4711), "server": ("127.0.0.1", 80), "state": {},
    }  # fmt: skip
    told: list[Message] = []
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if waiting:
            return waiting.pop()
        await asyncio.sleep(3600)  # the client listens on
        raise AssertionError

    async def send(message: Message) -> None:
        told.append(message)

    async with asyncio.timeout(10):
        await app(scope, receive, send)
    assert told[0]["type"] == "http.response.start"
    content = b"".join(each.get("body", b"") for each in told[1:])
    return Answered(told[0]["status"], list(told[0]["headers"]), content)
