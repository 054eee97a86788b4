"""Before anything is measured: does each system do the whole job?

One message through a fresh instance with a cap of one: it arrives, its DKIM signature verifies,
and the second one is refused.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import dkim

from bench.peers.offers import offer
from bench.peers.system import System, Wanted
from tests.harness.upstream import SinkThread
from tests.harness.waiting import TookTooLong, until


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
    system = kind(Wanted(sink.port, cap=1))
    try:
        system.start()
        until(lambda: offer(system.port, clients=1, each=1).accepted, "a message to be taken")
        contents = _arrived(sink)
        more = offer(system.port, clients=1, each=1)
        signed = _verifies(system, contents[0]) if contents and system.signs else None
        return Checked(len(contents) == 1, signed, more.accepted == 0 and more.refused == 1)
    finally:
        system.end()
        sink.end()


def _arrived(sink: SinkThread) -> list[bytes]:
    try:
        return until(sink.contents, "it to arrive", timeout_s=20)
    except TookTooLong:
        return []


def _verifies(system: System, content: bytes) -> bool:
    record = system.keys.records()[0].encode()
    return bool(dkim.verify(content, dnsfunc=lambda name, timeout=5: record))  # noqa: ARG005
