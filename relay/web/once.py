"""`Idempotency-Key`: a change that is asked for twice is made once, and answered alike.

Keys are those of a tenant's tokens that may do the same, for one method and path, and are
remembered for a day. A request is known again by its key; another body with the same key, or of
another type, is a mistake of the client (422). What
was refused with nothing done is not remembered: trying again is what its client should do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from relay.core.errors import StoreTrouble
from relay.core.tenants.access import ApiToken
from relay.ports.web import Answers, Keeping, KeptAnswer
from relay.web.asgi import App, Message, Receive, Scope, Send, Whole, header, problem
from relay.web.door import AWAY

HEADER: Final = b"idempotency-key"
MAYBE_DONE: Final = b"x-outcome-unknown"
"""A route sets it on an error after which the thing may have been done."""
NOTHING_DONE: Final = "nothing_done"
"""Into the state of a request that changed nothing, though its status is no error."""

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_UNDER_WAY = problem(
    409,
    "Conflict",
    "a request with this Idempotency-Key is under way, or ended without an answer",
    {"retry-after": "1"},
)
_OTHER = problem(
    422, "Unprocessable Content", "this Idempotency-Key came with another request before"
)
_BAD_KEY = problem(
    422, "Unprocessable Content", "an Idempotency-Key is 1 to 255 printable ASCII characters"
)


@dataclass(slots=True)
class _Recorder:
    """Passes an answer on and keeps it."""

    send: Send
    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        if message["type"] == "http.response.body":
            self.body += message.get("body", b"")
        await self.send(message)

    @property
    def was_done(self) -> bool:
        """Whether the request changed something, or may have."""
        return self.status < 400 or MAYBE_DONE in self.headers

    def answer(self) -> KeptAnswer:
        kind = self.headers.get(b"content-type", b"").decode("latin-1")
        return KeptAnswer(self.status, kind, bytes(self.body))


@dataclass(frozen=True, slots=True)
class Once:
    """ASGI middleware inside of `Door` and `Body`."""

    inside: App
    answers: Answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry the request out, or give the answer that it had before."""
        key = header(scope, HEADER) if scope["type"] == "http" else None
        if key is None or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self.inside(scope, receive, send)
            return
        if not _KEY.fullmatch(key):
            await _BAD_KEY.send(send)
            return
        name, digest = _name(scope, key), _digest(scope)
        try:
            found = await self.answers.begin(name, digest)
        except StoreTrouble:
            await AWAY.send(send)
            return
        if found is not None:
            await _answer_to(found).send(send)
            return
        await self._carry_out(name, digest, scope, receive, _Recorder(send))

    async def _carry_out(
        self, name: str, digest: str, scope: Scope, receive: Receive, recorder: _Recorder
    ) -> None:
        # What ends without an answer stays claimed: nobody knows what was done.
        held: list[Message] = []

        async def hold(message: Message) -> None:
            held.append(message)

        passing, recorder.send = recorder.send, hold
        try:
            await self.inside(scope, receive, recorder)
        except Exception:
            if not recorder.status:
                raise  # else it has been logged where the answer was made
        try:
            if recorder.was_done and NOTHING_DONE not in scope["state"]:
                await self.answers.keep(name, digest, recorder.answer())
            else:
                await self.answers.release(name)
        except StoreTrouble:
            pass  # the claim stands: a repetition hears 409, and nothing is done twice
        for message in held:
            await passing(message)


def _name(scope: Scope, key: str) -> str:
    bearer: ApiToken = scope["state"]["bearer"]
    whose = bearer.tenant if bearer.tenant is not None else f"@{bearer.id}"
    may = " ".join(sorted(bearer.scopes))  # nobody hears an answer that he could not have asked for
    told = "\n".join((whose, may, scope["method"], scope["path"], key))
    return sha256(told.encode()).hexdigest()


def _digest(scope: Scope) -> str:
    kind = (header(scope, b"content-type") or "").encode("latin-1")
    told = (scope["query_string"], kind, scope["state"]["body"])
    return sha256(b"\n".join(told)).hexdigest()


def _answer_to(found: KeptAnswer | Keeping) -> Whole:
    if found is Keeping.UNDER_WAY:
        return _UNDER_WAY
    if isinstance(found, Keeping):
        return _OTHER
    replayed = {"idempotent-replayed": "true"}
    return Whole(found.status, found.content_type, found.body, replayed)
