"""What the DNS publishes, against the key that mail is signed with."""

from __future__ import annotations

import pytest

from relay.cli.published import why_not_ours

OURS = "v=DKIM1; k=rsa; p=AAAA"


@pytest.mark.parametrize(
    "text",
    [
        OURS,
        "p=AAAA",
        "v=DKIM1;p=AA AA ;",
        "v=DKIM1; k=rsa; h=sha1:sha256; s=email; t=s; n=of 2026; p=AAAA",
    ],
)
def test_a_record_may_be_written_otherwise(text):
    assert why_not_ours([text], OURS) == ""


def test_what_else_stands_at_its_name_is_no_matter():
    assert why_not_ours(["v=spf1 -all", OURS, "hello"], OURS) == ""


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (["v=DKIM1; k=rsa; p=BBBB"], "another key"),
        (["v=DKIM1; k=ed25519; p=AAAA"], "another key"),
        (["v=DKIM1; k=rsa; p="], "revoked"),
        (["v=DKIM2; p=AAAA"], "v= is not DKIM1"),
        (["h=sha1; p=AAAA"], "h= leaves out sha256"),
        (["s=tlsrpt; p=AAAA"], "s= leaves out email"),
        ([OURS, "v=DKIM1; p=BBBB"], "2 DKIM records"),
        (["v=spf1 -all"], "no DKIM record"),
        (['"v=DKIM1; p=AAAA', "p=AAAA; p=AAAA", "\udcff", ""], "no DKIM record"),
    ],
)
def test_why_no_signature_would_stand(texts, why):
    assert why in why_not_ours(texts, OURS)
