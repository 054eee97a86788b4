from __future__ import annotations

import asyncio
import re
import threading
import tracemalloc
from datetime import timedelta

import dkim
import pytest
import structlog

from relay.concurrency.beside import INLINE_BYTES
from relay.core.errors import KeyTrouble
from relay.core.mail.trace import prepared
from relay.core.tenants.tenancy import DkimKey
from relay.signing.batch import Batch
from relay.signing.choice import OVERSIGNED
from relay.signing.keys import KeyRing
from relay.signing.multibuffer import open_multibuffer
from relay.signing.signer import DkimSigner
from tests.corpus import DOMAIN
from tests.corpus.parts import ordinary, with_body, with_fields
from tests.corpus.submissions import NOW
from tests.unit.signing.verifier import signature_tags, verifies

ORDINARY = ordinary(DOMAIN) + b"\r\nhello  world \r\n"
OVERSIGNED_BY_CONTRACT = {
    b"from", b"to", b"cc", b"subject", b"date", b"reply-to", b"message-id", b"mime-version",
    b"content-type", b"list-unsubscribe", b"list-unsubscribe-post",
}  # fmt: skip


@pytest.fixture
def signed(classified, clock):
    async def sign(content, *keys, **options):
        message = classified(content, *keys)
        head = prepared(message, "relay.example.net", NOW)
        fields = await DkimSigner(clock, **options).sign(message, head, message.body)
        return fields + head + bytes(message.body)

    return sign


async def test_each_key_makes_one_signature_in_the_order_of_the_config(signed, published):
    message = await signed(ORDINARY, published.ed25519, published.rsa)
    assert message.count(b"DKIM-Signature:") == 2
    assert [signature_tags(message, n)[b"a"] for n in (0, 1)] == [b"ed25519-sha256", b"rsa-sha256"]
    assert [signature_tags(message, n)[b"s"] for n in (0, 1)] == [b"e1.2026", b"r1"]


async def test_a_domain_without_keys_gets_no_signature(signed):
    assert b"DKIM-Signature" not in await signed(ORDINARY)


async def test_the_tags_are_those_of_the_contract(signed, published):
    tags = signature_tags(await signed(ORDINARY, published.rsa), 0)
    assert list(tags) == [b"v", b"a", b"c", b"d", b"s", b"t", b"h", b"bh", b"b"]
    assert tags[b"d"] == DOMAIN.encode()
    assert tags[b"t"] == b"1772530200"


async def test_the_time_is_that_of_the_clock(signed, published, clock):
    clock.moment += timedelta(days=1)
    message = await signed(ORDINARY, published.rsa)
    assert signature_tags(message, 0)[b"t"] == b"1772616600"
    assert verifies(message, 0, published.records[f"r1._domainkey.{DOMAIN}."])


async def test_every_line_is_shorter_than_78_columns(signed, published):
    ids = b"".join(b"\r\nReferences: <%d@x>" % n for n in range(40))
    content = with_fields(DOMAIN, b"Sender: a@acme.example" + ids)
    for key in (published.rsa, published.ed25519):
        field = re.match(rb"DKIM-Signature:.*\r\n(?: .*\r\n)+", await signed(content, key))[0]
        assert max(len(line) for line in field.split(b"\r\n")) < 78
        assert b" \r\n" not in field


async def test_oversigned_fields_are_named_once_more_than_they_are_there(signed, published):
    content = with_fields(DOMAIN, b"List-Unsubscribe: <a>", b"List-Unsubscribe: <b>", b"SUBJECT: x")
    names = signature_tags(await signed(content, published.rsa), 0)[b"h"].split(b":")
    counts = {name: names.count(name) for name in names}
    assert set(OVERSIGNED) == OVERSIGNED_BY_CONTRACT
    assert set(counts) == OVERSIGNED_BY_CONTRACT
    assert counts[b"list-unsubscribe"] == counts[b"subject"] == 3
    assert counts[b"from"] == counts[b"to"] == counts[b"date"] == 2
    assert counts[b"cc"] == counts[b"list-unsubscribe-post"] == 1


async def test_other_fields_are_named_as_often_as_they_are_there(signed, published):
    content = with_fields(
        DOMAIN, b"Sender: a@b.example", b"Feedback-ID: a:b", b"Resent-To: a@b", b"Resent-To: c@d",
        b"Bcc: a@b.example", b"Received: x; y", b"Return-Path: <>", b"X-Other: y",
    )  # fmt: skip
    names = signature_tags(await signed(content, published.rsa), 0)[b"h"].split(b":")
    others = [name for name in names if name not in OVERSIGNED]
    assert others == [b"sender", b"resent-to", b"resent-to", b"feedback-id"]


HOARDS = {
    "long names": lambda number: [b"x%d%b: 1" % (number, b"a" * 16_000)] * 50,
    "many names": lambda number: [b"Sender: a"] * (4000 + number),
}


@pytest.mark.parametrize("fields", HOARDS.values(), ids=HOARDS)
async def test_nothing_is_kept_of_a_header_once_it_is_signed(fields, signed, published):
    await signed(ORDINARY, published.ed25519)
    tracemalloc.start()
    for number in range(4):
        await signed(with_fields(DOMAIN, *fields(number)), published.ed25519)
    kept_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept_bytes < 100_000


TAMPERED = {
    "a word in the body": lambda m: m.replace(b"hello", b"hallo"),
    "a line after the body": lambda m: m + b"more\r\n",
    "the subject": lambda m: m.replace(b"What is new", b"What is old"),
    "a second From on top": lambda m: b"From: x@evil.example\r\n" + m,
    "a second Subject on top": lambda m: b"Subject: x\r\n" + m,
    "a Reply-To that was not there": lambda m: b"Reply-To: x@evil.example\r\n" + m,
    "a Cc that was not there": lambda m: b"Cc: x@evil.example\r\n" + m,
    "a MIME type that was not there": lambda m: b"Content-Type: text/html\r\n" + m,
    "a List-Unsubscribe that was not there": lambda m: b"List-Unsubscribe: <https://evil>\r\n" + m,
    "the time of the signature": lambda m: m.replace(b"t=1772530200", b"t=1772530201"),
}


@pytest.mark.parametrize("change", TAMPERED.values(), ids=TAMPERED.keys())
async def test_a_changed_message_does_not_verify(change, signed, published):
    message = await signed(ORDINARY, published.rsa, published.ed25519)
    changed = change(message)
    assert changed != message
    for number, record in enumerate(published.records.values()):
        assert verifies(message, number, record)
        assert not verifies(changed, number, record)
        assert dkim.DKIM(message).verify(number, dnsfunc=published.dns)
        assert not _dkimpy_verifies(changed, number, published)


def _dkimpy_verifies(message, number, published) -> bool:
    try:
        return dkim.DKIM(message).verify(number, dnsfunc=published.dns)
    except dkim.ValidationError:
        return False


@pytest.mark.parametrize(
    "change",
    [
        lambda m: b"Received: by next; now\r\n" + m,
        lambda m: b"Return-Path: <b@x.example>\r\nSender: later@list.example\r\n" + m,
        lambda m: m.replace(b"hello  world \r\n", b"hello\tworld\r\n\r\n"),
        lambda m: m.replace(b"Subject: What is new", b"SUBJECT:  What\r\n is\tnew "),
    ],
)
async def test_what_relays_do_to_a_message_does_not_break_it(change, signed, published):
    message = await signed(ORDINARY, published.rsa)
    changed = change(message)
    assert changed != message
    assert verifies(changed, 0, published.records[f"r1._domainkey.{DOMAIN}."])
    assert dkim.DKIM(changed).verify(dnsfunc=published.dns)


async def test_a_key_that_cannot_be_used_is_key_trouble_and_its_file_is_in_the_log_only(
    signed, published, tmp_path
):
    missing = DkimKey("m", tmp_path / "missing.pem")
    with structlog.testing.capture_logs() as logged, pytest.raises(KeyTrouble) as caught:
        await signed(ORDINARY, published.rsa, missing)
    assert "missing.pem" not in str(caught.value.reply())
    assert [entry["file"] for entry in logged] == [str(missing.path)]


async def test_a_large_message_is_hashed_in_a_thread_and_a_small_one_is_not(
    signed, published, monkeypatch
):
    threads = []
    whole = DkimSigner._hashed

    def noted(self, *args):
        threads.append(threading.current_thread())
        return whole(self, *args)

    monkeypatch.setattr(DkimSigner, "_hashed", noted)
    large = with_body(DOMAIN, b"x" * 998 + b"\r\n", b"X-Fill: y") + b"z" * INLINE_BYTES
    small = await signed(ORDINARY, published.rsa)
    message = await signed(large, published.rsa)
    assert threads[0] is threading.main_thread()
    assert threads[1] is not threading.main_thread()
    for one in (small, message):
        assert dkim.DKIM(one).verify(dnsfunc=published.dns)


async def test_many_messages_at_once_read_a_key_once(classified, clock, published, monkeypatch):
    ring, reads = KeyRing(), []
    read = KeyRing._read
    monkeypatch.setattr(KeyRing, "_read", lambda self, path: reads.append(path) or read(self, path))
    signer, message = DkimSigner(clock, keys=ring), classified(ORDINARY, published.rsa)
    made = await asyncio.gather(
        *(signer.sign(message, message.header, message.body) for _ in range(20))
    )
    assert len(set(made)) == 1
    assert reads == [published.rsa.path]


async def test_messages_that_are_signed_together_each_carry_their_own_signatures(
    classified, clock, published
):
    """Of those that come at once; of one key and of two, in any number."""
    keys = [published.rsa, published.ed25519]
    signer = DkimSigner(clock, batch=Batch(open_multibuffer(), others=lambda: 1))

    async def sign(at: int) -> bytes:
        content = with_body(DOMAIN, b"message %d\r\n" % at)
        message = classified(content, *keys[: 1 + at % 2])
        head = prepared(message, "relay.example.net", NOW)
        return await signer.sign(message, head, message.body) + head + bytes(message.body)

    for number, message in enumerate(await asyncio.gather(*map(sign, range(21)))):
        assert b"message %d\r\n" % number in message
        assert message.count(b"DKIM-Signature:") == 1 + number % 2
        assert verifies(message, 0, published.records[f"r1._domainkey.{DOMAIN}."])
