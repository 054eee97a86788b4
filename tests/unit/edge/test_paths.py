from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.edge import paths
from relay.edge.paths import BadPath, check_mailbox, split_path
from relay.edge.replies import Misspoken


@pytest.mark.parametrize(
    ("text", "path", "rest"),
    [
        ("<a@b.example>", "a@b.example", ""),
        ("<>", "", ""),
        ("<a@b.example> SIZE=1 BODY=7BIT", "a@b.example", " SIZE=1 BODY=7BIT"),
        ("a@b.example SIZE=1", "a@b.example", "SIZE=1"),
        ('<"a>b"@c.example> X', '"a>b"@c.example', " X"),
        ('<"a\\"> b"@c.example>', '"a\\"> b"@c.example', ""),
        ("<@hop.example,@[192.0.2.1]:a@b.example>", "a@b.example", ""),
    ],
)
def test_a_path_ends_at_its_bracket_and_loses_its_route(text, path, rest):
    assert split_path(text) == (path, rest)


@pytest.mark.parametrize(
    "text",
    ["", "<a@b.example", "<a@b.example>SIZE=1", "<@hop.example a@b.example>", "<@:a@b.example>",
     "<hop.example:a@b>x", '"a b"@c.example', "a@b>c", '<"a@b.example>', "<@-x.example:a@b>"],
)  # fmt: skip
def test_a_malformed_path_is_none(text):
    with pytest.raises(BadPath):
        split_path(text)


@pytest.mark.parametrize(
    "address",
    ["a@b", "A.b+c=d@Mail.Example", "a..b@docomo.example", "dot.@b.example", '"a b"@c.example',
     '"a@b"@c.example', '"\\""@c.example', "x@[192.0.2.1]", "x@[IPv6:2001:db8::1]",
     "under@_dmarc.b_c.example", "!#$%&'*+-/=?^_`{|}~@b.example", "a@" + "b" * 63 + ".example",
     "l" * 256 + "@b.example"],
)  # fmt: skip
def test_a_mailbox_is_taken_as_it_comes(address):
    check_mailbox(address, smtputf8=False)


@pytest.mark.parametrize(
    "address",
    ["a", "@b.example", "a@", "a b@c.example", "a@b..c", "a@.b", "a@b.", "a@-b.example",
     "a@b-.example", "a@b c", "a@b@c.example", 'a"b@c.example', '""b"@c.example', '"a\\"@c.example',
     "a@[192.0.2.256]", "a@[192.0.2.1", "a@[IPv6:zz]", "a@[example]", "a<b@c.example", "a@b>c",
     "l" * 257 + "@b.example", "a@" + "b" * 64 + ".example", "a@" + "b." * 128 + "b",
     "a,b@c.example", "a:b@c.example", "(a)@c.example", "a\\b@c.example"],
)  # fmt: skip
def test_what_is_no_mailbox_is_refused(address):
    with pytest.raises(BadPath):
        check_mailbox(address, smtputf8=False)


def test_utf8_is_taken_with_the_parameter_only():
    for address in ("jörg@example.org", "a@bücher.example", '"jö rg"@example.org'):
        check_mailbox(address, smtputf8=True)
        with pytest.raises(Misspoken) as refused:
            check_mailbox(address, smtputf8=False)
        assert str(refused.value.reply).startswith("553 5.6.7")


@pytest.mark.parametrize(
    "address", ["a\u2028b@c.example", "a\u0085@c.example", "a@b\u3000c", "\ud800@c"]
)
def test_unprintable_characters_beyond_ascii_are_no_part_of_an_address(address):
    with pytest.raises((BadPath, UnicodeEncodeError)):
        check_mailbox(address, smtputf8=True)


@given(st.text('aZ0.-_@+"[]<> \u00e4', max_size=40), st.text("aZ0.-_@[]: \u00e4", max_size=40))
def test_what_needs_no_closer_look_would_have_passed_it(local, domain):
    if paths._is_plain(f"{local}@{domain}"):
        assert paths._is_local_part(local)
        assert paths._is_domain(domain)


@pytest.mark.parametrize("address", ["a@b", "A.b+c=d@x-y.example", "_@_a.b9", "a@" + "x" * 63])
def test_a_plain_address_needs_no_closer_look(address):
    assert paths._is_plain(address)
    check_mailbox(address, smtputf8=False)


@pytest.mark.parametrize("domain", ["-a", "a-", "a..b", ".a", "a.", "", "x" * 64])
def test_a_malformed_domain_is_not_plain(domain):
    assert not paths._is_plain(f"a@{domain}")
    with pytest.raises(BadPath):
        check_mailbox(f"a@{domain}", smtputf8=False)
