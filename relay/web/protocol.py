"""HTTP that never becomes a request of ours is refused in the same words as the rest.

uvicorn answers what it cannot read, and what is too much at once, itself, in plain text: here
both become problem details (RFC 9457). The bound on what is too much is in `server.py`.
"""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from relay.web.asgi import Whole, problem

UNREADABLE: Final = problem(
    400, "Bad Request", "this is not HTTP/1.1, or its head is too long", {"connection": "close"}
)
BUSY: Final = problem(
    503,
    "Service Unavailable",
    "too many connections at once; try again later",
    {"connection": "close", "retry-after": "5"},
)


class Protocol(H11Protocol):
    """One connection; what uvicorn calls for a request that it cannot read is put right."""

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
