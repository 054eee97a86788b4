"""The matrix: at each verb each failure of the upstream, and what must come of it.

A cell says what the client hears, what the quota shows and what the upstream got. Everything
before the final dot is proven not sent; after it only a valid reply decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tests.harness.smtp_script import (
    Act,
    Then,
    close,
    doubled,
    garbage,
    half_close,
    refuse,
    reset,
    split,
    stall,
)
from tests.harness.smtp_sink import Offers

LATER = "450 4.2.0 later"
NEVER = "554 5.7.1 no"
NAMED = "<reader@example.org>: "
BUSY = "421 4.3.2 busy"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`hears` begins the client's reply; of one message so many are `counted`, `sent`, `got`.

    `counted` is what the quota holds as used, `sent` what the ramp counts, `got` what the
    upstream has taken.
    """

    hears: str
    counted: int
    sent: int
    got: int

    def __str__(self) -> str:
        return f"hears {self.hears!r}, counted {self.counted}, sent {self.sent}, got {self.got}"


TAKEN = Outcome("250 2.", 1, 1, 1)
NOT_SENT = Outcome("451 4.4.1", 0, 0, 0)
UNKNOWN = Outcome("451 4.3.0", 1, 0, 1)


def said(reply: str, recipient: str = "") -> Outcome:
    """The upstream's own words; its 421 is 451, for it means its own connection."""
    code, detail, text = reply.replace("421", "451").split(" ", 2)
    return Outcome(f"{code} {detail} {recipient}{text}", 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Cell:
    """One failure at one verb. `size_bytes` is that of the message."""

    verb: str
    failure: str
    act: Act
    outcome: Outcome
    offers: Offers = field(default_factory=Offers)
    size_bytes: int = 1000

    @property
    def name(self) -> str:
        mode = "" if self.offers.pipelining else " stepped"
        return f"{self.verb}{mode}: {self.failure}"


USUAL = {
    "CONNECT": "220 sink.example ESMTP",
    "EHLO": "250 sink.example",
    "STARTTLS": "220 2.0.0 go ahead",
    "AUTH": "235 2.7.0 ok",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go ahead",
    "DOT": "250 2.0.0 Ok: queued",
    "QUIT": "221 2.0.0 bye",
}


def failures(verb: str) -> dict[str, Act]:
    """All that is tried instead of the usual reply to `verb`."""
    usual = USUAL[verb]
    return {
        "reset": reset(),
        "close": close(),
        "stall": stall(),
        "half-close": half_close(),
        "garbage": garbage(),
        "4xx": refuse(LATER),
        "5xx": refuse(NEVER),
        "421": refuse(BUSY, close=True),
        "byte by byte": split(),
        "60 kB": _long(usual, 60_000),
        "over 64 KiB": _long(usual, 66_000),
        "too early": doubled(usual),
    }


def _long(usual: str, size_bytes: int) -> Act:
    line = f"{usual[:3]}-{usual[4:9].rstrip()} ".ljust(500, "x") + "\r\n"
    return Act((line * (size_bytes // len(line)) + usual + "\r\n").encode())


FINE = {"byte by byte", "60 kB"}
SAID = {"4xx": LATER, "5xx": NEVER, "421": BUSY}
HANDSHAKE = ("CONNECT", "EHLO", "STARTTLS", "AUTH")
ENVELOPE = ("MAIL", "RCPT", "DATA")


def _expected(verb: str, failure: str) -> Outcome:
    if verb == "QUIT" or failure in FINE:
        return TAKEN
    if verb in HANDSHAKE:
        return NOT_SENT
    if failure in SAID:
        return said(SAID[failure], NAMED if verb == "RCPT" else "")
    if verb == "DOT":
        return TAKEN if failure == "too early" else UNKNOWN
    return NOT_SENT


EXCEPTIONS = {
    ("EHLO", "4xx"): TAKEN,  # HELO then, RFC 5321 §3.2
    ("EHLO", "5xx"): TAKEN,
    # Nothing in a handshake needs more than 32 KiB.
    **{(verb, "60 kB"): NOT_SENT for verb in HANDSHAKE},
    # Dropped with the handshake: it answers no command of the transaction.
    **{(verb, "too early"): TAKEN for verb in HANDSHAKE},
}


def _offers(verb: str) -> Offers:
    if verb == "STARTTLS":
        return Offers(starttls=True)
    return Offers(auth=("PLAIN",)) if verb == "AUTH" else Offers()


def _ordinary() -> Iterator[Cell]:
    for verb in USUAL:
        for failure, act in failures(verb).items():
            outcome = EXCEPTIONS.get((verb, failure)) or _expected(verb, failure)
            cell = Cell(verb, failure, act, outcome, _offers(verb))
            yield cell
            if verb in ENVELOPE:
                yield replace(cell, offers=Offers(pipelining=False))


_BUFFERED_BYTES = (6_500_000, 20_000_000)
"""More than the buffers of two sockets hold, with a reader and where nobody reads."""


def _in_the_body() -> Iterator[Cell]:
    """While the content comes in."""
    table = {
        "reset": (reset(), NOT_SENT),
        "close": (close(), NOT_SENT),
        "stall": (stall(), NOT_SENT),
        "half-close": (half_close(), NOT_SENT),
        "garbage": (garbage(), NOT_SENT),
        "4xx": (refuse(LATER), said(LATER)),
        "5xx": (refuse(NEVER), said(NEVER)),
        "421": (Act(BUSY.encode() + b"\r\n"), said(BUSY)),
        "byte by byte": (replace(refuse(NEVER), split=True), said(NEVER)),
        "over 64 KiB": (_long("250 2.0.0 early", 66_000), NOT_SENT),
        "too early": (Act(b"250 2.0.0 early\r\n", Then.STALL), NOT_SENT),
    }
    for failure, (act, outcome) in table.items():
        yield Cell("BODY", failure, act, outcome, size_bytes=_BUFFERED_BYTES[act == stall()])


def _at_connecting() -> Iterator[Cell]:
    """No server that could have a script: see `Place.close_down`."""
    for failure in ("refuse", "stall"):
        yield Cell("TCP", failure, Act(), NOT_SENT)


CELLS = [*_at_connecting(), *_ordinary(), *_in_the_body()]
