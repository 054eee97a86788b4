"""Every nasty message, signed with both kinds of key, checked by two verifiers."""

from __future__ import annotations

import re

import dkim
import pytest

from relay.core.mail.trace import prepared
from relay.signing.signer import DkimSigner
from tests.corpus import DOMAIN, nasty_messages
from tests.corpus.submissions import NOW
from tests.unit.signing.verifier import verifies

MESSAGES = nasty_messages()
BEYOND_DKIMPY = {
    "space before the colon": "its parser takes no white space before the colon",
    "a line of spaces over a chunk": "its time is quadratic in a run of spaces: 26 s",
}


async def signed(content, classified, clock, *keys) -> bytes:
    message = classified(content, *keys)
    head = prepared(message, "relay.example.net", NOW)
    signatures = await DkimSigner(clock).sign(message, head, message.body)
    return signatures + head + bytes(message.body)


@pytest.mark.parametrize("name", MESSAGES)
async def test_a_nasty_message_is_signed_and_verifies(name, classified, clock, published):
    content = MESSAGES[name]
    message = await signed(content, classified, clock, published.rsa, published.ed25519)
    records = list(published.records.values())
    assert [verifies(message, number, records[number]) for number in (0, 1)] == [True, True]
    if name not in BEYOND_DKIMPY:
        checker = dkim.DKIM(message)
        for number in (0, 1):
            assert checker.verify(number, dnsfunc=published.dns)
            assert checker.domain.decode() == DOMAIN


@pytest.mark.parametrize("name", MESSAGES)
async def test_the_bytes_of_a_nasty_message_end_the_signed_one(name, classified, clock, published):
    content = MESSAGES[name]
    message = await signed(content, classified, clock, published.rsa)
    own = re.compile(rb"(?im)^x-warmup-.*\r\n(?:[ \t].*\r\n)*")
    header, empty_line, body = content.partition(b"\r\n\r\n")
    kept = own.sub(b"", header + b"\r\n") if empty_line else header
    assert message.endswith(b"\r\n" + kept + empty_line[2:] + body)


def test_the_corpus_is_as_large_as_promised():
    assert len(MESSAGES) >= 40
    assert len(set(MESSAGES.values())) == len(MESSAGES)
