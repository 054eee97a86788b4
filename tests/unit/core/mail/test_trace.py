from __future__ import annotations

import re
from datetime import timedelta, timezone

import pytest

from relay.core.mail.classify import classify
from relay.core.mail.trace import prepared
from tests.corpus import DOMAIN, nasty_messages
from tests.corpus.parts import ordinary, with_from
from tests.corpus.submissions import DIRECTORY, NOW, submission

ORDINARY = ordinary(DOMAIN) + b"\r\nhello\r\n"
HOST = "relay.example.net"


def head(content=ORDINARY, *, hostname=HOST, now=NOW, **changes) -> str:
    found = classify(submission(content, **changes), DIRECTORY)
    return prepared(found, hostname, now).decode("latin-1")


def received(**changes) -> str:
    return head(**changes).removesuffix(ordinary(DOMAIN).decode())


def test_the_received_field_is_that_of_rfc_5321():
    assert received() == (
        "Received: from laptop.acme.example ([192.0.2.7]) by relay.example.net with\r\n"
        " ESMTPSA id ref42 for <jo@receiver.example>; Tue, 03 Mar 2026 09:30:00 +0000\r\n"
    )


def test_with_several_recipients_none_is_told_of_the_others():
    assert received(recipients=("a@x.example", "b@x.example")) == (
        "Received: from laptop.acme.example ([192.0.2.7]) by relay.example.net with\r\n"
        " ESMTPSA id ref42; Tue, 03 Mar 2026 09:30:00 +0000\r\n"
    )


@pytest.mark.parametrize(
    "recipient",
    ["é@x.example", '"a b"@x.example', "a@x.example> (", "a@[192.0.2.1]", "a" * 64 + "@x.example"],
)
def test_a_recipient_that_does_not_fit_a_field_is_left_out(recipient):
    assert " for " not in received(recipients=(recipient,))


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("2001:db8::1", " ([IPv6:2001:db8::1])"),
        ("::ffff:192.0.2.9", " ([192.0.2.9])"),
        ("fe80::1%eth0", " ([IPv6:fe80::1])"),
        ("", ""),
        ("evil) by", ""),
    ],
)
def test_the_address_is_a_literal_or_not_there(address, shown):
    assert f"from laptop.acme.example{shown} by" in received(address=address).replace("\r\n", "")


@pytest.mark.parametrize(
    ("helo", "shown"),
    [
        ("", "unknown"),
        ("[192.0.2.1]", "[192.0.2.1]"),
        ("[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"),
        ("a b", "a?b"),
        ("a\r\nBcc: x@y", "a??Bcc:?x?y"),
        ("(comment", "?comment"),
        ("a;b", "a?b"),
        ("é\0", "??"),
        ("x" * 500, "x" * 70),
    ],
)
def test_a_hostile_helo_stays_one_word(helo, shown):
    text = received(helo=helo).replace("\r\n", "")
    assert text.startswith(f"Received: from {shown} ([192.0.2.7]) by ")


def test_every_line_is_shorter_than_78_and_no_line_is_empty():
    for helo in ("a", "x" * 70, "y" * 500):
        for recipient in ("a@b.example", "a" * 52 + "@receiver.example"):
            lines = received(helo=helo, recipients=(recipient,)).removesuffix("\r\n").split("\r\n")
            assert all(0 < len(line) < 78 and line.strip() for line in lines)
            assert all(line.startswith(" ") for line in lines[1:])


def test_date_and_message_id_are_added_where_missing():
    text = head(with_from(b" a@acme.example"))
    assert "\r\nDate: Tue, 03 Mar 2026 09:30:00 +0000\r\n" in text
    assert "\r\nMessage-ID: <ref42@relay.example.net>\r\n" in text
    assert text.index("Received:") < text.index("Date:") < text.index("From:")


def test_what_is_there_stays_alone_in_any_case_even_when_empty():
    text = head(with_from(b" a@acme.example\r\nDATE :\r\nmessage-id: \r\n "))
    assert len(re.findall(r"(?im)^(?:date|message-id)[ \t]*:", text)) == 2


def test_a_line_in_the_body_is_no_date():
    assert "Date: " in head(with_from(b" a@acme.example") + b"Date: never\r\nMessage-ID: x\r\n")


def test_the_date_is_in_utc_whatever_the_zone_of_now():
    east = NOW.astimezone(timezone(timedelta(hours=9)))
    assert received(now=east) == received()


@pytest.mark.parametrize("content", nasty_messages().values(), ids=nasty_messages().keys())
def test_fields_are_only_prepended(content):
    found = classify(submission(content), DIRECTORY)
    assert prepared(found, HOST, NOW).endswith(b"\r\n" + found.header)
