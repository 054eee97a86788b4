"""Before anything is measured: does each system do the whole job?

A fresh instance with a cap of two: both messages arrive, the DKIM signature verifies, and the third
is refused. (Of two, for Exim's limit of one lets nothing through: a rate that reaches it is over.)
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import dkim

from bench.peers.offers import offer
from bench.peers.system import System, Wanted
from tests.harness.upstream import SinkThread
from tests.harness.waiting import TookTooLong, until

CAP = 2


@dataclass(frozen=True, slots=True)
class Checked:
    """What was seen; `signed` is None where the system signs nothing."""

    delivered: bool
    signed: bool | None
    refused_over_cap: bool

    @property
    def good(self) -> bool:
        """Whether it does all that it says it does."""
        return False not in asdict(self).values()


def check(kind: type[System]) -> Checked:
    """Look at one system; its instance is gone when this returns."""
    sink = SinkThread()
    system = kind(Wanted(sink.port, cap=CAP))
    try:
        system.start()
        system.settle()
        heard = offer(system.port, clients=1, each=CAP)
        contents = _arrived(sink)
        more = offer(system.port, clients=1, each=1)
        signed = _verifies(system, contents[0]) if contents and system.signs else None
        delivered = heard.accepted == len(contents) == CAP
        return Checked(delivered, signed, (more.accepted, more.refused) == (0, 1))
    finally:
        system.end()
        sink.end()


def _arrived(sink: SinkThread) -> list[bytes]:
    try:
        return until(lambda: sink.contents()[CAP - 1 :] and sink.contents(), "them", timeout_s=20)
    except TookTooLong:
        return []


def _verifies(system: System, content: bytes) -> bool:
    record = system.keys.records()[system.signature].encode()
    return bool(dkim.verify(content, dnsfunc=lambda name, timeout=5: record))  # noqa: ARG005
