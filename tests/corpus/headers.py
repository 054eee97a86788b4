"""Header sections that are legal, or usual, and odd."""

from __future__ import annotations

from tests.corpus.parts import PLAIN_BODY, ordinary, with_fields, with_from


def headers(domain: str) -> dict[str, bytes]:
    """Name → message."""
    return {**_from_fields(domain.encode()), **_other_fields(domain), **_shapes(domain)}


def _from_fields(domain: bytes) -> dict[str, bytes]:
    return {
        "a bare address": with_from(b" news@" + domain),
        "no space after the colon": with_from(b"news@" + domain),
        "a folded From": with_from(b"\r\n Acme\r\n\tNews\r\n <news@" + domain + b">"),
        "a From folded inside its comment": with_from(b" news@" + domain + b" (the\r\n news)"),
        "nested comments": with_from(b" (a (b (c\\)) \\\\) d) news (x) @ (y) " + domain + b" (z)"),
        "a quoted display name": with_from(b' "News, \\"Inc.\\" <x@evil.example>" <n@%b>' % domain),
        "a quoted local part": with_from(b' "two words"@' + domain),
        "dots in the display name": with_from(b" J. R. News <news@" + domain + b">"),
        "encoded words": with_from(
            b" =?utf-8?Q?Caf=C3=A9?= =?iso-8859-1?B?6Q==?= <news@" + domain + b">"
        ),
        "an upper case domain": with_from(b" News <NEWS@" + domain.upper() + b">"),
        "a group of one": with_from(b" The team: news@" + domain + b" ;"),
        "a Latin-1 display name": with_from(b" Caf\xe9 <news@" + domain + b">"),
        "a UTF-8 display name": with_from(" Café <news@".encode() + domain + b">"),
        "a UTF-8 local part": with_from(" café@".encode() + domain),
        "an apostrophe and a plus": with_from(b" o'neil+tag=1@" + domain),
        "trailing white space after the address": with_from(b" <news@" + domain + b"> \t "),
    }


def _other_fields(domain: str) -> dict[str, bytes]:
    name = domain.encode()
    received = b"Received: from a by b with ESMTP id %d;\r\n Tue, 03 Mar 2026 08:00:00 +0000"
    return {
        "folded fields": with_fields(domain, b"X-A: one\r\n two\r\n\t three \t\r\n  four"),
        "a fold of nothing but white space": with_fields(domain, b"Comments: a\r\n \t \r\n b"),
        "mixed case names": with_fields(domain, b"mIME-vERSION: 1.0", b"CONTENT-TYPE: text/plain"),
        "space before the colon": with_fields(
            domain, b"Reply-To : a@b.example", b"Cc \t: c@d.example"
        ),
        "empty values": with_fields(
            domain, b"Cc:", b"Reply-To: ", b"X-Empty: \t", b"References:\r\n "
        ),
        "values of white space runs": with_fields(domain, b"X-Runs:\t a \t\t b  c \t"),
        "8-bit fields": with_fields(domain, b"X-Latin: caf\xe9", "X-Utf8: café ✓".encode()),
        "two List-Unsubscribe": with_fields(
            domain,
            b"List-Unsubscribe: <https://%b/u/1>" % name,
            b"List-Unsubscribe: <mailto:u@%b>" % name,
            b"List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        ),
        "two To and two Subject": with_fields(domain, b"To: x@y.example", b"Subject: again"),
        "a list's fields": with_fields(
            domain, b"List-Id: News <news.%b>" % name, b"List-Help: <https://%b/>" % name
        ),
        "Feedback-ID and CFBL": with_fields(
            domain, b"Feedback-ID: c:a:m:s", b"CFBL-Address: fbl@%b; report=arf" % name
        ),
        "a chain of Received": with_fields(domain, *(received % number for number in range(30))),
        "Resent fields twice": with_fields(
            domain,
            b"Resent-From: a@%b" % name,
            b"Resent-To: one@receiver.example",
            b"Resent-From: b@%b" % name,
            b"Resent-To: two@receiver.example",
            b"Resent-Date: Tue, 03 Mar 2026 08:00:00 +0000",
        ),
        "Bcc": with_fields(domain, b"Bcc: secret@receiver.example"),
        "X-Warmup fields": with_fields(
            domain,
            b"X-Warmup-Class: transactional",
            b"x-warmup-campaign: spring\r\n and summer",
            b"X-Warmup-Anything:",
        ),
        "a NUL in a field": with_fields(domain, b"X-Nul: a\0b"),
        "control characters in a field": with_fields(domain, b"X-Control: a\x01\x1b[31m\x7fb"),
        "every printable in a name": with_fields(domain, b"X!#$%&'*+-./09;<=>?@AZ[\\]^_`az{|}~: v"),
        "thousands of fields": with_fields(domain, *(b"X-%d: %d" % (n, n) for n in range(3000))),
        "a field of 200 kB": with_fields(domain, b"X-Long: " + b"word " * 40_000),
        "a field of 5000 folds": with_fields(domain, b"X-Folds: a" + b"\r\n b" * 5000),
        "a References of 300 ids": with_fields(
            domain, b"References:" + b"".join(b"\r\n <%d@%b>" % (n, name) for n in range(300))
        ),
        "lines of 998, 999 and 1000 bytes": with_fields(
            domain, *(b"X-Line: " + b"x" * (length - 8) for length in (998, 999, 1000))
        ),
        "signed with DKIM already": with_fields(
            domain,
            b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d=other.example; s=x;\r\n"
            b" h=from:to; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA",
        ),
        "sealed with ARC": with_fields(
            domain,
            b"ARC-Seal: i=1; a=rsa-sha256; cv=none; d=other.example; s=x; b=AAAA",
            b"ARC-Message-Signature: i=1; a=rsa-sha256; d=other.example; s=x; h=from; bh=AA==; b=AA==",
            b"ARC-Authentication-Results: i=1; mx.other.example; none",
            b"Authentication-Results: mx.other.example; none",
        ),
        "a threaded reply": with_fields(
            domain, b"In-Reply-To: <1@a.example>", b"References: <0@a.example>\r\n <1@a.example>"
        ),
    }


def _shapes(domain: str) -> dict[str, bytes]:
    return {
        "ordinary": ordinary(domain) + b"\r\n" + PLAIN_BODY,
        "only a header section": ordinary(domain),
        "an empty body": ordinary(domain) + b"\r\n",
        "nothing but From": b"From: news@" + domain.encode() + b"\r\n\r\n",
    }
