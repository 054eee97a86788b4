"""On which window each message was charged, as heard on the store's own wire.

`Charged` listens to every command that the relays send to the store (MONITOR), and notes the
window's label beside the reservation's id, which the upstream finds in the Received field:
so the upstream's ledger can be split by window without asking the relay's counters.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from tests.harness.smtp_ledger import Received
from tests.harness.store import PASSWORD, StoreServer
from tests.harness.waiting import TookTooLong

_WINDOW = re.compile(rb'"wr1:\{[^"}]*\}:window:[^":]*:([^"]+)"')
_ID = re.compile(rb'"([0-9a-z]{16})"')
_RECEIVED_ID = re.compile(rb"\sid\s+([0-9a-z]{16})[\s;]")


class Charged:
    """Labels by reservation. Use `charged(store)`."""

    def __init__(self) -> None:
        self._labels: dict[str, str] = {}

    def note(self, line: bytes) -> None:
        """One line of MONITOR."""
        if b'"EVALSHA"' not in line or not (window := _WINDOW.search(line)):
            return
        for found in _ID.findall(line):
            label = window[1].decode()
            known = self._labels.setdefault(found.decode(), label)
            assert known == label, f"{found!r} is in {known} and in {label}"

    def label(self, message: Received) -> str:
        """The label of the window that `message` was charged on."""
        return self._labels[ref_of(message)]

    async def by_label(self, messages: Sequence[Received]) -> Counter[str]:
        """How many sends of `messages` were charged on each window."""
        for _ in range(100):  # the store tells everybody else first
            if all(ref_of(message) in self._labels for message in messages):
                break
            await asyncio.sleep(0.05)
        else:
            raise TookTooLong("a message that the store knows nothing of")
        found: Counter[str] = Counter()
        for message in messages:
            found[self.label(message)] += len(message.rcpts)
        return found


def ref_of(message: Received) -> str:
    """The relay's id of it: that of the first Received field."""
    found = _RECEIVED_ID.search(message.content)
    assert found, message.content[:300]
    return found[1].decode()


@asynccontextmanager
async def charged(store: StoreServer) -> AsyncIterator[Charged]:
    """Listen to `store` for the time of the block."""
    reader, writer = await asyncio.open_connection("127.0.0.1", store.port, limit=1 << 22)
    writer.write(f"AUTH {PASSWORD}\r\nMONITOR\r\n".encode())
    for _ in range(2):
        answer = await asyncio.wait_for(reader.readline(), 5)
        assert answer == b"+OK\r\n", answer
    heard = Charged()

    async def listen() -> None:
        while line := await reader.readline():
            heard.note(line)

    listening = asyncio.create_task(listen())
    try:
        yield heard
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
        writer.close()
