from __future__ import annotations

import pytest

from relay.core.errors import BadMessage, BadSender, MailLoop, NotPermitted
from relay.core.mail import classify as classify_room
from relay.core.mail.classify import (
    check_reverse_path,
    classify,
    fingerprint_of,
    recipient_fingerprints,
)
from relay.core.mail.message import Envelope, Recipient
from relay.core.tenants.tenancy import MailClass
from tests.corpus import DOMAIN, nasty_messages
from tests.corpus.parts import ordinary, with_fields, with_from
from tests.corpus.submissions import ACME, DIRECTORY, EVIL, submission

ORDINARY = ordinary(DOMAIN) + b"\r\nhello\r\n"


def classified(content=ORDINARY, *, received_limit=100, **changes):
    return classify(submission(content, **changes), DIRECTORY, received_limit=received_limit)


@pytest.mark.parametrize("content", nasty_messages().values(), ids=nasty_messages().keys())
def test_every_nasty_message_is_the_domains_and_keeps_its_bytes(content):
    found = classified(content)
    assert found.domain.name == DOMAIN
    assert found.domain.name == DOMAIN
    assert content.endswith(bytes(found.body))
    if b"warmup" not in content.lower():
        assert found.header + bytes(found.body) == content


def test_a_subdomain_is_a_domain_of_its_own():
    assert classified(with_from(b" a@acme.example")).domain.name == "acme.example"
    with pytest.raises(NotPermitted, match=r"^other\.acme\.example in the From field"):
        classified(with_from(b" a@other.acme.example"))


def test_another_tenants_domain_and_nobodys_are_refused_in_the_same_words():
    for name in ("evil.example", "nobody.example"):
        with pytest.raises(NotPermitted) as caught:
            classified(with_from(b" a@" + name.encode()))
        assert (
            str(caught.value) == f"{name} in the From field is not a domain that you may send from"
        )


def test_every_from_domain_must_be_the_tenants_and_the_first_one_counts():
    fields = b"\r\nSender: a@acme.example"
    both = classified(with_from(b" a@acme.example, b@news.acme.example" + fields))
    assert both.domain.name == "acme.example"
    with pytest.raises(NotPermitted, match=r"evil\.example"):
        classified(with_from(b" a@acme.example, b@evil.example" + fields))


def test_a_message_without_a_header_section_has_no_sender():
    with pytest.raises(BadSender, match="no From field"):
        classified(b"\r\nFrom: a@acme.example\r\n")


@pytest.mark.parametrize(
    "mail_from", ["", f"b+1@bounces.{DOMAIN}", "x@acme.example", "x@ACME.example"]
)
def test_the_reverse_path_may_be_null_or_any_envelope_domain_of_the_tenant(mail_from):
    assert classified(mail_from=mail_from).domain.name == DOMAIN


@pytest.mark.parametrize("mail_from", ["x@evil.example", "x@", "postmaster", "x@[192.0.2.1]"])
def test_another_reverse_path_is_refused(mail_from):
    with pytest.raises(NotPermitted, match="is not a domain that you may send from"):
        classified(mail_from=mail_from)
    with pytest.raises(NotPermitted):
        check_reverse_path(ACME, mail_from, DIRECTORY)


def test_a_tenant_may_not_use_the_envelope_of_another():
    with pytest.raises(NotPermitted):
        check_reverse_path(EVIL, f"x@{DOMAIN}", DIRECTORY)


def test_received_fields_are_counted_in_any_case():
    content = with_fields(DOMAIN, *[b"received: x; y"] * 3, b"RECEIVED : x; y")
    assert classified(content, received_limit=4)
    with pytest.raises(MailLoop, match="4 Received fields"):
        classified(content, received_limit=3)


def test_own_fields_are_removed_folds_and_all_and_nothing_else():
    content = (
        b"X-Warmup-Class: transactional\r\n" + ordinary(DOMAIN) + b"x-WARMUP-a:\r\n b\r\n\tc\r\n"
        b"X-Warmup: stays\r\nX-WarmupClass: stays\r\nX-Warmup-End: z\r\n\r\nX-Warmup-Body: stays\r\n"
    )
    found = classified(content)
    assert found.header == ordinary(DOMAIN) + b"X-Warmup: stays\r\nX-WarmupClass: stays\r\n"
    assert bytes(found.body) == b"\r\nX-Warmup-Body: stays\r\n"
    assert found.submission.content is content


@pytest.mark.parametrize(
    ("field", "credential", "expected"),
    [
        (None, None, MailClass.MARKETING),
        (None, MailClass.TRANSACTIONAL, MailClass.TRANSACTIONAL),
        (b" transactional", MailClass.MARKETING, MailClass.TRANSACTIONAL),
        (b"MARKETING\r\n ", MailClass.TRANSACTIONAL, MailClass.MARKETING),
    ],
)
def test_the_class_is_the_fields_then_the_credentials_then_marketing(field, credential, expected):
    content = with_fields(DOMAIN, *([b"x-warmup-class:" + field] if field else []))
    assert classified(content, mail_class=credential).mail_class is expected


@pytest.mark.parametrize("value", [b"", b"bulk", b"marketing, transactional", b"m\xe9"])
def test_an_invalid_class_is_refused_with_the_valid_ones(value):
    with pytest.raises(BadMessage, match="is marketing or transactional, not"):
        classified(with_fields(DOMAIN, b"X-Warmup-Class: " + value))


def test_two_class_fields_are_refused():
    with pytest.raises(BadMessage, match="2 X-Warmup-Class fields"):
        classified(with_fields(DOMAIN, *[b"X-Warmup-Class: marketing"] * 2))


def test_the_message_id_is_the_clients_own_or_none():
    assert classified().message_id == b"<1234.5678@%b>" % DOMAIN.encode()
    for field in (b"", b"\r\nMessage-ID:", b"\r\nMessage-ID: \t\r\n "):
        found = classified(with_from(b" a@acme.example" + field))
        assert found.message_id is None
        assert found.fingerprint is None


def test_a_retry_has_the_fingerprint_of_its_first_attempt():
    first = classified(recipients=("a@x.example", "b@x.example"))
    retry = classified(recipients=("b@x.example", "a@x.example"), helo="elsewhere", address="::1")
    assert first.fingerprint == retry.fingerprint
    assert len(first.fingerprint) == 64


OTHER_MAILS = {
    "another sender": {"mail_from": ""},
    "another recipient": {"recipients": ("b@receiver.example",)},
    "one more recipient": {"recipients": ("jo@receiver.example", "b@receiver.example")},
    "the same recipient twice": {"recipients": ("jo@receiver.example",) * 2},
    "another content": {"content": ORDINARY + b"."},
    "another header": {"content": b"X-New: 1\r\n" + ORDINARY},
    "another domain": {"content": ORDINARY.replace(b"news@news.acme", b"news@acme")},
    "a sender that eats the recipient": {"mail_from": f"news@{DOMAIN}", "recipients": ()},
}


@pytest.mark.parametrize("changes", OTHER_MAILS.values(), ids=OTHER_MAILS.keys())
def test_another_mail_has_another_fingerprint(changes):
    assert classified(**changes).fingerprint != classified().fingerprint


def test_text_moved_from_one_part_to_the_next_changes_the_fingerprint():
    prints = {
        classified(recipients=recipients).fingerprint
        for recipients in (
            ("a@b.examplec@d.example",),
            ("a@b.example", "c@d.example"),
            ("a@b.e", "xamplec@d.example"),
        )
    }
    assert len(prints) == 3


def test_an_empty_line_at_the_end_of_the_header_changes_the_fingerprint():
    header = ordinary(DOMAIN)
    assert classified(header).fingerprint != classified(header + b"\r\n").fingerprint


def test_content_that_looks_like_one_more_recipient_changes_the_fingerprint():
    one, two = Envelope("", (Recipient("a"),)), Envelope("", (Recipient("a"), Recipient("b")))
    eight = [number.to_bytes(8) for number in range(3)]
    contents = [b"x", b"b" + b"x", b"b" + eight[2] + b"x", eight[1] + b"bx"]
    prints = [fingerprint_of(DOMAIN, one, content) for content in contents]
    assert len({*prints, fingerprint_of(DOMAIN, two, b"x")}) == len(contents) + 1


def test_each_recipient_has_a_fingerprint_that_does_not_depend_on_the_others():
    both = recipient_fingerprints(classified(recipients=("a@x.example", "b@x.example")))
    (alone,) = recipient_fingerprints(classified(recipients=("b@x.example",)))
    assert (len(set(both)), both[1]) == (2, alone)
    other = classified(ORDINARY + b"more", recipients=("b@x.example",))
    assert recipient_fingerprints(other) != (alone,)


def test_the_recipient_of_a_message_to_one_has_the_fingerprint_of_the_message():
    one, two = ("b@x.example",), ("a@x.example", "b@x.example")
    for content in (ORDINARY, b"X-Warmup-Class: transactional\r\n" + ORDINARY):
        message = classified(content, recipients=one)
        assert recipient_fingerprints(message) == (message.fingerprint,)
        assert classified(content, recipients=two).fingerprint != message.fingerprint


def test_a_large_header_is_hashed_once_and_not_for_each_recipient(monkeypatch):
    sizes, known = [], fingerprint_of

    def noted(domain, envelope, content):
        sizes.append(len(content))
        return known(domain, envelope, content)

    monkeypatch.setattr(classify_room, "fingerprint_of", noted)
    many = tuple(f"r{n}@x.example" for n in range(100))
    large = [
        b"X-Large: " + (b"x" * 60 + b"\r\n ") * 2000 + end + b"\r\n" + ORDINARY
        for end in (b"a", b"b")
    ]
    prints = [recipient_fingerprints(classified(content, recipients=many)) for content in large]
    assert len({*prints[0], *prints[1]}) == 200
    assert len(sizes) == 202
    assert max(sizes) < 100
    alone = classified(large[0], recipients=many[:1])
    assert recipient_fingerprints(alone) == (alone.fingerprint,) == prints[0][:1]


def test_without_a_message_id_no_recipient_has_a_fingerprint():
    assert recipient_fingerprints(classified(f"From: jo@{DOMAIN}\r\n\r\nhi\r\n".encode())) == ()


def test_8_bit_content_needs_8bitmime_wherever_it_is():
    assert not classified().needs_8bit
    assert classified(ORDINARY + "é".encode()).needs_8bit
    assert classified(with_fields(DOMAIN, b"X-A: \xe9")).needs_8bit


def test_smtputf8_is_needed_where_addresses_or_header_use_it():
    utf8 = with_fields(DOMAIN, "Subject: ✓".encode())
    assert not classified(smtputf8=True).needs_utf8
    assert not classified(utf8).needs_utf8
    assert classified(utf8, smtputf8=True).needs_utf8
    assert not classified(with_fields(DOMAIN, b"X-A: \xe9"), smtputf8=True).needs_utf8
    assert classified(recipients=("é@receiver.example",)).needs_utf8
    assert classified(mail_from=f"é@{DOMAIN}").needs_utf8
    assert not classified(ORDINARY + "é".encode(), smtputf8=True).needs_utf8
