"""Many SMTP clients at once that offer mail and hear what is said to it."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.peers.system import DOMAIN
from tests.harness.wire import Wire, mail

SENDER = f"news@{DOMAIN}"
CLIENT_S = 180


@dataclass(frozen=True, slots=True)
class Heard:
    """What the clients heard, in recipients; `said` is one of the refusals."""

    accepted: int = 0
    refused: int = 0
    lost: int = 0
    said: str = ""

    def __add__(self, other: Heard) -> Heard:
        return Heard(
            self.accepted + other.accepted,
            self.refused + other.refused,
            self.lost + other.lost,
            self.said or other.said,
        )


def offer(port: int, *, clients: int, each: int, recipients: int = 1) -> Heard:
    """`clients` in parallel, each offering `each` messages to `recipients` in one session."""
    with ThreadPoolExecutor(clients) as pool:
        jobs = [pool.submit(_client, port, each, recipients) for _ in range(clients)]
        return sum((job.result(timeout=CLIENT_S) for job in jobs), Heard())


def _client(port: int, each: int, recipients: int) -> Heard:
    heard = Heard()
    wire: Wire | None = None
    for _ in range(each):
        try:
            wire = wire or Wire(port)
            heard += _message(wire, recipients)
        except (OSError, AssertionError, ValueError):  # an MTA would try again; we only count
            heard += Heard(lost=recipients)
            if wire:
                wire.close()
            wire = None
    if wire:
        wire.close()
    return heard


def _message(wire: Wire, recipients: int) -> Heard:
    """One message, to those of its recipients that are taken at RCPT."""
    name = uuid.uuid4().hex
    said = wire.do(f"MAIL FROM:<{SENDER}>")
    replies = [
        wire.do(f"RCPT TO:<{name[:12]}.{n}@example.org>")
        for n in range(recipients if said.code == 250 else 0)
    ]
    taken = sum(reply.code == 250 for reply in replies)
    refusal = next((str(reply) for reply in [said, *replies] if reply.code != 250), "")
    if taken:
        wire.hand_in(mail(SENDER, message_id=f"{name}@{DOMAIN}"))
        final = wire.read()
        if final.code != 250:
            taken, refusal = 0, refusal or str(final)
    if refusal:
        wire.do("RSET")
    return Heard(taken, recipients - taken, 0, refusal)
