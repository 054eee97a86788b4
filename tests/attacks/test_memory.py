"""What one client can make the relay hold: little, whatever it sends."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.attacks.conftest import SENDER, Besiege, Besieged

MB = 1024 * 1024
MESSAGE_BYTES = 2 * MB
MOST_GROWTH_BYTES = 40 * MB
"""Twice for a message in its pieces and joined, its neighbours, and what the allocator keeps."""


@pytest.fixture(scope="module")
def besieged(besiege: Besiege) -> Besieged:
    limits = {"message_size": f"{MESSAGE_BYTES}", "memory": f"{8 * MB}", "recipients": 1000}
    return besiege(more={"limits": limits})


def most_bytes(besieged: Besieged) -> int:
    """The most memory that the process has ever had resident (VmHWM, proc(5))."""
    text = Path(f"/proc/{besieged.relay.child.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", text)[1]) * 1024


def sent(besieged: Besieged, opening: bytes, piece: bytes, times: int, closing: bytes) -> bytes:
    """What the relay says to it all, read beside the sending; nothing of it where it hangs up."""
    import threading

    with besieged.wire() as wire:
        heard = bytearray()

        def listen() -> None:
            try:
                while data := wire._socket.recv(65536):
                    heard.extend(data[-1000:])
                    del heard[:-4000]
            except OSError:
                return

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        try:
            wire.write(opening)
            for _ in range(times):
                wire.write(piece)
            wire.write(closing + b"QUIT\r\n")
        except OSError:
            pass  # it has hung up, which is an answer
        listener.join(60)
        return bytes(heard)


ENVELOPE = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<v@receiver.example>\r\nDATA\r\n".encode()
BEGUN = f"MAIL FROM:<{SENDER}>\r\n".encode()
FROM = f"From: {SENDER}\r\n".encode()
LINE = b"x" * 65_536
ATTACKS = {
    "a command line of 64 MB": (b"NOOP ", LINE, 1024, b"\r\n", b"500 5.5.2"),
    "an AUTH response of 64 MB": (b"AUTH PLAIN\r\n", LINE, 1024, b"\r\n", b"500 5.5.6"),
    "a line of 64 MB in a message": (ENVELOPE + FROM, LINE, 1024, b"\r\n.\r\n", b"552 5.3.4"),
    "a header of 64 MB": (ENVELOPE + FROM, b"X-Y: z\r\n" * 8192, 1024, b"\r\n.\r\n", b"552 5.3.4"),
    "a message of 64 MB": (ENVELOPE + FROM + b"\r\n", LINE, 1024, b"\r\n.\r\n", b"552 5.3.4"),
    "dots alone": (ENVELOPE, b"..\r\n" * 16384, 1024, b"\r\n.\r\n", b"552 5.3.4"),
    "100,000 recipients": (
        BEGUN, b"RCPT TO:<v@receiver.example>\r\n" * 1000, 100, b"", b"452 4.5.3"
    ),
    "50,000 EHLOs": (b"", b"EHLO x\r\n" * 1000, 50, b"", b"221 2.0.0"),
    "50,000 RSETs": (b"", b"RSET\r\n" * 1000, 50, b"", b"221 2.0.0"),
    "50,000 unknown commands": (b"", b"XYZZY\r\n" * 1000, 50, b"", b"421 4.7.0"),
    "a folded field without an end": (
        ENVELOPE + FROM + b"X: y", b"\r\n y" * 16384, 16, b"\r\n.\r\n", b"550 5.6.0"
    ),
    "a million comments": (
        ENVELOPE + b"From: ", b"(" * 65_536, 16, b"\r\n\r\n.\r\n", b"550 5.6.0"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_memory_stays_within_bounds(besieged: Besieged, name: str) -> None:
    before = most_bytes(besieged)
    opening, piece, times, closing, answer = ATTACKS[name]
    heard = sent(besieged, opening, piece, times, closing)
    grown = most_bytes(besieged) - before
    assert grown < MOST_GROWTH_BYTES, f"{grown / MB:.1f} MB more"
    assert answer in heard, heard[-300:]
    with besieged.wire() as wire:
        assert wire.do("NOOP").code == 250


def test_all_of_it_together_left_it_small(besieged: Besieged) -> None:
    assert most_bytes(besieged) < 250 * MB
    assert besieged.taken() == 0


def test_what_many_hold_at_once_is_bounded_and_small_mail_goes_on(besieged: Besieged) -> None:
    before = most_bytes(besieged)
    with ExitStack() as held:
        wires = [held.enter_context(besieged.wire()) for _ in range(30)]
        for wire in wires:
            wire.write(ENVELOPE + FROM + b"\r\n")
            for _ in range(MESSAGE_BYTES // len(LINE) - 1):
                wire.write(LINE)
        with besieged.wire() as another:
            another.write(ENVELOPE + FROM + b"\r\nsmall\r\n.\r\n")
            assert [another.read().code for _ in range(4)] == [250, 250, 354, 250]
        answers = []
        for wire in wires:
            wire.write(b"\r\n.\r\n")
            answers.append([str(wire.read()) for _ in range(4)][-1])
    assert most_bytes(besieged) - before < MOST_GROWTH_BYTES
    assert sum("452 4.3.1" in answer for answer in answers) >= 20, answers
    assert besieged.relay.metric("relay_crowded_out_total") >= 20
