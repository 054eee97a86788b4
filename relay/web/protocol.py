"""What HTTP is answered that none of our applications answers: in the same words as the rest.

uvicorn answers what it cannot read, what is too much at once and what it cuts off at its end
itself, in plain text: here all of it becomes problem details (RFC 9457). The bound on what is too
much, and the end, are in `server.py`. It also waits for ever for the head of a request: whoever
sends none in time is hung up on, for each connection takes the place of another.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from http import HTTPStatus
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from relay.web.asgi import Whole, problem

HEAD_S: Final = 20.0
"""How long the head of a request may take to come in, from the connection or its first byte on."""

UNREADABLE: Final = problem(
    400, "Bad Request", "this is not HTTP/1.1, or its head is too long", {"connection": "close"}
)
AMBIGUOUS: Final = problem(
    400,
    "Bad Request",
    "there is a Content-Length and a Transfer-Encoding: where the body ends is not sure",
    {"connection": "close"},
)
"""A proxy before us may see another request in what follows: nothing of it is read."""
BUSY: Final = problem(
    503,
    "Service Unavailable",
    "too many connections at once; try again later",
    {"connection": "close", "retry-after": "5"},
)
CUT_OFF: Final = problem(
    500,
    "Internal Server Error",
    "the relay stopped before there was an answer; nobody knows what was done",
    {"connection": "close"},
)


class Protocol(H11Protocol):
    """One connection; what uvicorn calls for a request that it cannot read is put right."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        super().data_received(data)
        if self._is_between_requests:
            self._await_head()
        else:
            self._forget_patience()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        self._forget_patience()
        super().connection_lost(exc)

    @property
    def _is_between_requests(self) -> bool:
        """Whether nothing of ours is being answered; what comes in may be half a head."""
        return self.cycle is None or self.cycle.response_complete

    def _await_head(self) -> None:
        if self._patience is None:  # who drips gains nothing
            self._patience = self.loop.call_later(HEAD_S, self._hang_up)

    def _hang_up(self) -> None:
        self._patience = None
        if self._is_between_requests:
            self.transport.close()

    def _forget_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  it says less than ours
        """Refuse what came, unless an answer has begun, and hang up."""
        with suppress(h11.LocalProtocolError):
            self.transport.write(self._written(UNREADABLE))
        self.transport.close()

    def _written(self, answer: Whole) -> bytes:
        fields = {
            "content-type": answer.content_type,
            "content-length": str(len(answer.body)),
            "cache-control": "no-store",
            **answer.headers,
        }
        status = HTTPStatus(answer.status)
        head = h11.Response(
            status_code=status, headers=list(fields.items()), reason=status.phrase.encode()
        )
        events = (head, h11.Data(data=answer.body), h11.EndOfMessage())
        return b"".join(self.conn.send(event) or b"" for event in events)
