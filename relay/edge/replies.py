"""The one place where an exception becomes a reply, and the replies of the edge itself.

Whatever is not in the error tree is logged with its traceback, and its client hears
451 4.3.0 with the reference id, never a word of the internals (DESIGN §3, rule 2).
Every reply carries an enhanced code (RFC 2034 §4) but for the greeting, those to HELO and
EHLO, and 3xx.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from dataclasses import replace
from typing import Final

from relay.core.errors import RelayError
from relay.core.reply import MAX_LINE_BYTES, Reply

log = logging.getLogger(__name__)

OK: Final = Reply(250, "0.0", "Ok")
SENDER_OK: Final = Reply(250, "1.0", "Sender ok")
RECIPIENT_OK: Final = Reply(250, "1.5", "Recipient ok")
NO_RECIPIENTS: Final = Reply(554, "5.1", "no valid recipients")
GO_AHEAD: Final = Reply(354, None, "End data with <CR><LF>.<CR><LF>")
READY_FOR_TLS: Final = Reply(220, "0.0", "Ready to start TLS")
AUTHENTICATED: Final = Reply(235, "7.0", "Authentication successful")
GOODBYE: Final = Reply(221, "0.0", "Bye")
HELP: Final = Reply(
    214, "0.0", "HELO EHLO STARTTLS AUTH MAIL RCPT DATA RSET NOOP VRFY HELP QUIT (RFC 5321)"
)
CANNOT_VERIFY: Final = Reply(252, "1.5", "Cannot verify the user; try to send some mail")

IDLE_TOO_LONG: Final = Reply(421, "4.2", "timeout, closing the connection")
SHUTTING_DOWN: Final = Reply(421, "3.2", "service shutting down, please try again later")
OVERLOADED: Final = Reply(421, "3.2", "too many connections, please try again later")
TOO_MANY_CONNECTIONS: Final = Reply(421, "3.2", "too many connections from your address")
TOO_MANY_ERRORS: Final = Reply(421, "7.0", "too many errors, closing the connection")
TOO_MANY_FAILURES: Final = Reply(421, "7.0", "too many failed authentications")
TRY_LOGIN_LATER: Final = Reply(454, "7.0", "too many failed authentications, try again later")
RESPONSE_TOO_LONG: Final = Reply(500, "5.6", "authentication response too long")
NOT_HTTP: Final = Reply(421, "7.0", "this is an SMTP server")
_TROUBLE: Final = Reply(451, "3.0", "temporary local problem, please try again later")


class Misspoken(Exception):
    """The client broke the protocol; `reply` is what it hears.

    `counts`: it is an error of its own, of which a session may make only so many.
    """

    def __init__(self, reply: Reply, *, counts: bool = True) -> None:
        super().__init__(str(reply))
        self.reply = reply
        self.counts = counts


def syntax_error(text: str, detail: str = "5.4") -> Misspoken:
    """501: the parameters or arguments of a command are wrong."""
    return Misspoken(Reply(501, detail, text))


def bad_sequence(text: str, *, counts: bool = True) -> Misspoken:
    """503: not now."""
    return Misspoken(Reply(503, "5.1", text), counts=counts)


def answer(error: Exception, ref: str) -> Reply:
    """The reply that `error` means, with the reference id `ref`.

    Only a Misspoken goes without `ref`: nothing is logged of it that one could look up.
    """
    if isinstance(error, Misspoken):
        return error.reply
    if isinstance(error, RelayError):
        return with_ref(error.reply(), ref)
    log.error("unexpected failure [%s]", ref, exc_info=error)
    return with_ref(_TROUBLE, ref)


async def refusal_of(step: Awaitable[object], ref: str) -> Reply | None:
    """Await `step`: None if it went well, else the reply that its exception means."""
    try:
        await step
    except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
        return answer(error, ref)
    return None


def with_ref(reply: Reply, ref: str) -> Reply:
    """`reply` with `[ref]` at its end, in room that is made for it, and an enhanced code."""
    room = MAX_LINE_BYTES - len("250-5.999.999 \r\n") - len(f" [{ref}]")
    head, newline, last = reply.text.rpartition("\n")
    return Reply(reply.code, reply.detail or "0.0", f"{head}{newline}{last[:room]} [{ref}]")


def of_recipient(reply: Reply) -> Reply:
    """What the upstream said of a recipient that it accepts, with an enhanced code."""
    return replace(reply, detail=reply.detail or RECIPIENT_OK.detail)


def wire(reply: Reply) -> bytes:
    """`reply` as it goes over the wire, the line ends included."""
    return "\r\n".join((*reply.lines(), "")).encode("ascii")


KNOWN: Final = {
    id(reply): wire(reply) for reply in (OK, SENDER_OK, RECIPIENT_OK, GO_AHEAD, GOODBYE)
}
"""Those to most commands, by the id of a reply, which for one that is kept here is its own."""
