"""How a client can leave, and where; what it must come to.

A message may be at the upstream only once its final dot has come in. Then it is there, charged
and remembered, whatever became of its client; before that nothing is charged, also where quota
was reserved recipient by recipient.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass

from tests.harness.relay_process import RelayProcess
from tests.harness.upstream import SinkThread
from tests.harness.waiting import until
from tests.harness.wire import Wire, mail

STEPS = ("connect", "EHLO", "MAIL", "RCPT", "DATA", "body", "dot", "reply")
WAYS = ("close", "reset", "half-close")
MODES = ("whole", "split")


@dataclass(frozen=True, slots=True)
class Cell:
    """Leaving in `way` after `step`, in a domain of its own, of policy `mode`."""

    number: int
    step: str
    way: str
    mode: str

    @property
    def domain(self) -> str:
        return f"cell{self.number:03d}.example"

    @property
    def name(self) -> str:
        return f"{self.mode}: {self.way} after {self.step}"

    @property
    def is_sent(self) -> bool:
        """Whether the message was handed in whole."""
        return STEPS.index(self.step) >= STEPS.index("dot")

    @property
    def content(self) -> bytes:
        """Always the same, as of a client that tries again."""
        return mail(self.sender, message_id=f"one@{self.domain}")

    @property
    def sender(self) -> str:
        return f"news@{self.domain}"

    def walk(self, relay: RelayProcess, sink: SinkThread) -> str:
        """Go as far as `step`, and leave; what was heard after a half-close."""
        wire = Wire(relay.port, greet=False)
        for step in STEPS[: STEPS.index(self.step) + 1]:
            self._do(step, wire, sink)
        return _LEAVING[self.way](wire)

    def _do(self, step: str, wire: Wire, sink: SinkThread) -> None:
        match step:
            case "EHLO":
                assert wire.read().code == 220
                wire.ehlo()
            case "MAIL":
                assert wire.do(f"MAIL FROM:<{self.sender}>").code == 250
            case "RCPT":
                assert wire.do("RCPT TO:<reader@example.org>").code == 250
            case "DATA":
                assert wire.do("DATA").code == 354
            case "body":
                wire.write(self.content[:-10])
            case "dot":
                wire.write(self.content[-10:] + b".\r\n")
                until(lambda: self.arrived(sink), f"{self.name}: the message to be there")
            case "reply":
                assert wire.read().code == 250

    def arrived(self, sink: SinkThread) -> int:
        """How often its message is at the upstream."""
        return sink.message_ids().count(f"one@{self.domain}")

    def again(self, relay: RelayProcess) -> str:
        """The same message from a new connection: the reply."""
        with Wire(relay.port) as wire:
            reply = wire.send(self.sender, "reader@example.org", self.content)
            wire.quit()
        return str(reply)


def _closed(wire: Wire) -> str:
    wire.close()
    return ""


def _reset(wire: Wire) -> str:
    wire.reset()
    return ""


def _half_closed(wire: Wire) -> str:
    wire.connection.shutdown(socket.SHUT_WR)
    heard = b""
    try:
        while data := wire.connection.recv(65_536):
            heard += data
    except ConnectionError:
        pass
    wire.close()
    return heard.decode()


_LEAVING: dict[str, Callable[[Wire], str]] = {
    "close": _closed,
    "reset": _reset,
    "half-close": _half_closed,
}

CELLS = [
    Cell(number, step, way, mode)
    for number, (step, way, mode) in enumerate(
        (step, way, mode) for step in STEPS for way in WAYS for mode in MODES
    )
]
