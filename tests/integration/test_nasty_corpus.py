"""Rule 7 from end to end: nasty messages arrive as they came, with signatures that verify."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import MakeRelay
from tests.corpus import nasty_messages
from tests.harness.arrived import arrived
from tests.harness.clock import MovableClock
from tests.harness.dkim_keys import DkimKeys
from tests.harness.relay_config import DOMAIN, UNLIMITED, calendar
from tests.harness.relay_process import RelayProcess
from tests.harness.upstream import SinkThread
from tests.harness.wire import Wire, as_sent
from tests.unit.signing.verifier import verifies

SENDER = f"news@{DOMAIN}"
MESSAGES = nasty_messages(DOMAIN)
OUR_OWN = re.compile(rb"(?im)^x-warmup-.*\r\n(?:[ \t].*\r\n)*")
FOLDED = rb"[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*"
PREPENDED = re.compile(
    # A maildir is a final delivery and adds the first two (RFC 5321 §4.4).
    rb"(?:Return-Path:%b(?:X-Envelope-To:%b)+)?(?:DKIM-Signature:%b){2}Received:%b"
    rb"(?:Date:%b)?(?:Message-ID:%b)?" % ((FOLDED,) * 6)
)
BEYOND_DKIMPY = {
    "space before the colon",  # its parser takes none
    "a line of spaces over a chunk",  # its time is quadratic in them
}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> DkimKeys:
    return DkimKeys(tmp_path_factory.mktemp("dkim"))


def options(content: bytes) -> str:
    """The MAIL parameters that a client must give for this content."""
    header = content.partition(b"\r\n\r\n")[0]
    return f" BODY=8BITMIME{'' if header.isascii() else ' SMTPUTF8'}"


def refused_of(relay: RelayProcess) -> dict[str, str]:
    """Hand everything in, in order; what was not taken, by name."""
    refused = {}
    with Wire(relay.port) as wire:
        for name, content in MESSAGES.items():
            reply = wire.envelope(SENDER, "reader@example.org", options=options(content))
            if reply.code == 250:
                wire.hand_in(content)
                reply = wire.read()
            if reply.code != 250:
                refused[name] = str(reply)
                wire.do("RSET")
    return refused


def as_passed_on(content: bytes) -> bytes:
    """What must arrive below the prepended fields: all but the relay's own."""
    header, empty_line, body = as_sent(content).partition(b"\r\n\r\n")
    if not empty_line:
        return header
    return OUR_OWN.sub(b"", header + b"\r\n") + b"\r\n" + body


def faults(keys: DkimKeys, name: str, original: bytes, content: bytes) -> list[str]:
    """What is wrong with a message that arrived."""
    found = []
    if not content.endswith(original):
        return [f"{name}: changed"]
    prepended = content.removesuffix(original)
    if not PREPENDED.fullmatch(prepended):
        found.append(f"{name}: prepended {prepended!r}")
    records = keys.records()
    verified = [verifies(content, number, record) for number, record in enumerate(records)]
    if name not in BEYOND_DKIMPY:
        verified += keys.verified(content)
    if not all(verified):
        found.append(f"{name}: signatures verify {verified}")
    return found


def faults_of(keys: DkimKeys, contents: list[bytes]) -> list[str]:
    pairs = zip(MESSAGES.items(), contents, strict=True)
    return [
        fault
        for (name, original), content in pairs
        for fault in faults(keys, name, as_passed_on(original), content)
    ]


def signed(make_relay: MakeRelay, keys: DkimKeys, upstream: str, home: Path) -> RelayProcess:
    # dkimpy asks the machine for the time, and finds a signature from the future invalid.
    return make_relay(
        clock=MovableClock(home / "clock", real=True),
        upstream=upstream,
        policies={"ramp": calendar(UNLIMITED)},
        domains={DOMAIN: {"dkim": keys.section}},
    ).start()


def test_there_are_at_least_forty_of_them() -> None:
    assert len(MESSAGES) >= 40


def test_they_arrive_by_smtp_byte_for_byte_and_verify(
    make_relay: MakeRelay, keys: DkimKeys, sink: SinkThread, tmp_path: Path
) -> None:
    relay = signed(make_relay, keys, sink.url, tmp_path)

    assert not refused_of(relay)

    assert not faults_of(keys, sink.contents())


def test_they_arrive_in_a_maildir_byte_for_byte_and_verify(
    make_relay: MakeRelay, keys: DkimKeys, tmp_path: Path
) -> None:
    relay = signed(make_relay, keys, f"maildir:{tmp_path}/outbound", tmp_path)

    assert not refused_of(relay)

    assert not faults_of(keys, arrived(tmp_path / "outbound"))
