from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.mail.message import Recipient
from relay.ports.upstream import Lacks, SaidNo
from relay.upstream.capabilities import Capabilities, capabilities_of
from relay.upstream.commands import transaction
from tests.unit.upstream.given import outgoing

ALL = capabilities_of(
    {"pipelining": "", "8bitmime": "", "smtputf8": "", "dsn": "", "size": "1000000"}
)


def lines(groups: object) -> list[list[str]]:
    assert isinstance(groups, tuple), groups
    return [[command.line.decode().removesuffix("\r\n") for command in group] for group in groups]


def test_with_pipelining_and_one_recipient_everything_is_one_group():
    size = outgoing().size_bytes
    assert lines(transaction(outgoing("to@example.net"), ALL)) == [
        [f"MAIL FROM:<bounce@news.example> SIZE={size}", "RCPT TO:<to@example.net>", "DATA"]
    ]


def test_with_several_recipients_data_waits_for_all_of_them():
    groups = lines(transaction(outgoing("a@x.example", "b@x.example"), ALL))
    assert [[line[:4] for line in group] for group in groups] == [
        ["MAIL", "RCPT", "RCPT"],
        ["DATA"],
    ]


def test_without_pipelining_it_goes_step_by_step():
    groups = lines(transaction(outgoing("a@x.example", "b@x.example"), Capabilities()))
    assert [len(group) for group in groups] == [1, 1, 1, 1]


def test_nothing_is_declared_to_an_upstream_that_offers_nothing():
    message = outgoing(
        Recipient("to@x.example", notify="NEVER", orcpt="rfc822;to@x.example"),
        needs_8bit=True,
        ret="HDRS",
        envid="e1",
    )
    assert lines(transaction(message, Capabilities())) == [
        ["MAIL FROM:<bounce@news.example>"],
        ["RCPT TO:<to@x.example>"],
        ["DATA"],
    ]


def test_every_parameter_that_is_needed_and_offered_is_given():
    message = outgoing(
        Recipient("ü@x.example", notify="SUCCESS,FAILURE", orcpt="utf-8;ü@x.example"),
        mail_from="",
        needs_8bit=True,
        needs_utf8=True,
        ret="HDRS",
        envid="e+201",
    )
    mail, rcpt, _ = lines(transaction(message, ALL))[0]
    size = message.size_bytes
    assert mail == f"MAIL FROM:<> SIZE={size} BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=e+201"
    assert rcpt == "RCPT TO:<ü@x.example> NOTIFY=SUCCESS,FAILURE ORCPT=utf-8;ü@x.example"


@pytest.mark.parametrize("offered", [ALL, capabilities_of({"dsn": ""})])
def test_an_original_recipient_in_utf8_makes_no_command_in_utf8(offered):
    to = Recipient("alias@x.example", orcpt="utf-8;jörg+2B1@x.example")
    heard = [line for group in lines(transaction(outgoing(to), offered)) for line in group]
    assert heard[1] == r"RCPT TO:<alias@x.example> ORCPT=utf-8;j\x{F6}rg+2B1@x.example"
    assert "SMTPUTF8" not in heard[0]


def test_an_original_recipient_that_is_too_long_once_escaped_is_left_out():
    to = Recipient("alias@x.example", notify="NEVER", orcpt="utf-8;" + "\u90ae" * 62)
    heard = [line for group in lines(transaction(outgoing(to), ALL)) for line in group]
    assert heard[1] == "RCPT TO:<alias@x.example> NOTIFY=NEVER"


def test_8bit_content_that_the_client_did_not_declare_is_just_sent():
    assert isinstance(transaction(outgoing(needs_8bit=True), Capabilities()), tuple)


@pytest.mark.parametrize("keyword", ["SMTPUTF8", "8BITMIME"])
def test_a_needed_extension_that_is_not_offered_is_lacking(keyword: str):
    offered = Capabilities(ALL.keywords - {keyword})
    message = outgoing(needs_8bit=True, needs_utf8=True, declared="8BITMIME")
    assert transaction(message, offered) == Lacks(keyword)


def test_an_address_beyond_ascii_needs_smtputf8_whatever_was_said():
    assert transaction(outgoing("ü@x.example"), Capabilities()) == Lacks("SMTPUTF8")


def test_a_message_over_the_offered_size_is_refused_without_being_sent():
    message = outgoing()
    assert isinstance(transaction(message, capabilities_of({"size": "10"})), Lacks)
    limit = message.size_bytes - 1
    why = f"message of {limit + 1} bytes exceeds the next hop's limit of {limit}"
    assert transaction(message, capabilities_of({"size": str(limit)})) == Lacks("SIZE", why)
    assert isinstance(
        transaction(message, capabilities_of({"size": str(message.size_bytes)})), tuple
    )


@pytest.mark.parametrize("size", ["0", "", "many", "-1", "١٢"])
def test_a_size_without_a_number_is_no_limit(size: str):
    assert capabilities_of({"size": size}).size_limit_bytes is None


BAD = [
    "a@x.example\r\nRCPT TO:<evil@x.example>",
    "a@x.example\nDATA",
    "a@x.example\r",
    "a\x00@x.example",
    "a@x.example> NOTIFY=NEVER",
    "a@x.example>",
    "<a@x.example",
    "a b@x.example",
    '"a\r\nb"@x.example',
    '"a\\\r\nb"@x.example',
    '"open@x.example',
    "a@x.example\udcff",
    "a\x7f@x.example",
]


@pytest.mark.parametrize("address", BAD)
def test_an_address_that_could_add_a_command_is_refused(address: str):
    for message in (outgoing(address, needs_utf8=True), outgoing(mail_from=address)):
        refusal = transaction(message, ALL)
        assert isinstance(refusal, SaidNo)
        assert refusal.answer.code == 501


@pytest.mark.parametrize("value", ["NEVER\r\nDATA", "NEVER X=1", "\x00", "a\tb", "\udcff"])
def test_a_parameter_that_could_add_another_is_refused(value: str):
    for message in (
        outgoing(Recipient("a@x.example", notify=value)),
        outgoing(Recipient("a@x.example", orcpt=value)),
        outgoing(ret=value),
        outgoing(envid=value),
    ):
        assert isinstance(transaction(message, ALL), SaidNo)


@pytest.mark.parametrize(
    "address",
    ['"a b>c"@x.example', '"a\\"b"@x.example', "a+b@[192.0.2.1]", "postmaster", "o'neil@x.example"],
)
def test_odd_but_valid_addresses_pass_as_they_are(address: str):
    assert f"RCPT TO:<{address}>" in lines(transaction(outgoing(address), ALL))[0]


def test_a_recipient_must_not_be_empty():
    assert isinstance(transaction(outgoing(""), ALL), SaidNo)


@given(st.text(), st.text())
def test_no_address_whatever_makes_two_lines(mail_from: str, rcpt: str):
    groups = transaction(outgoing(rcpt, mail_from=mail_from), ALL)
    if isinstance(groups, tuple):
        for command in groups[0]:
            assert command.line.endswith(b"\r\n")
            assert not set(command.line[:-2]) & {0, 10, 13}
