from __future__ import annotations

import pytest

from relay.core.mail.message import Recipient
from relay.edge.commands import (
    MAX_COMMAND_BYTES,
    Mail,
    parse_command,
    parse_domain,
    parse_mail,
    parse_rcpt,
)
from relay.edge.replies import Misspoken


def refused(parse, *arguments, **options) -> str:
    with pytest.raises(Misspoken) as caught:
        parse(*arguments, **options)
    return str(caught.value.reply)


def mail(argument: str) -> Mail:
    return parse_mail(argument, extended=True)


def rcpt(argument: str) -> Recipient:
    return parse_rcpt(argument, extended=True, smtputf8=False)


def test_a_command_is_a_verb_and_what_comes_after_it():
    assert parse_command(b"noop\r\n") == ("NOOP", "")
    assert parse_command(b"Mail From:<A@b.example> \r\n") == ("MAIL", "From:<A@b.example>")
    assert parse_command("RCPT TO:<jörg@b.example>\r\n".encode())[1] == "TO:<jörg@b.example>"
    assert parse_command(b"NOOP\n") == ("NOOP", "")


def test_only_one_line_end_is_taken_off():
    assert refused(parse_command, b"NOOP\r\r\n").startswith("500 5.5.2")


def test_a_long_line_is_for_auth_only():
    long = b"x" * MAX_COMMAND_BYTES
    assert refused(parse_command, b"NOOP " + long + b"\r\n") == "500 5.5.2 line too long"
    assert parse_command(b"auth PLAIN " + long + b"\r\n")[0] == "AUTH"


def test_mail_keeps_the_case_of_all_that_is_not_a_keyword():
    assert mail("from: <Local@Domain.Example> size=10 Body=8bitmime ret=hdrs EnvId=aB+2B") == Mail(
        address="Local@Domain.Example",
        size_bytes=10,
        body="8BITMIME",
        ret="hdrs",
        envid="aB+2B",
    )
    assert mail("FROM:<> SMTPUTF8 AUTH=<>") == Mail(address="", smtputf8=True)


def test_rcpt_keeps_the_dsn_parameters_as_they_came():
    found = rcpt("TO:<B@c.example> NOTIFY=never ORCPT=RFC822;B+40c@c.example")
    assert found == Recipient("B@c.example", "never", "RFC822;B+40c@c.example")


@pytest.mark.parametrize(
    "parameters",
    ["SIZE", "SIZE=", "SIZE=-1", "SIZE=1k", "SIZE=٣", "SIZE=" + "9" * 21, "BODY=BINARYMIME",
     "BODY", "SMTPUTF8=1", "RET=ALL", "ENVID=a=b", "ENVID=a+4", "ENVID=" + "x" * 101, "AUTH",
     "AUTH=a+zz"],
)  # fmt: skip
def test_a_wrong_value_is_501(parameters):
    assert refused(mail, f"FROM:<a@b.example> {parameters}").startswith("501 5.5.4")


@pytest.mark.parametrize(
    "parameters",
    ["NOTIFY=", "NOTIFY", "NOTIFY=NEVER,SUCCESS", "NOTIFY=SOMETIMES", "NOTIFY=DELAY,DELAY",
     "ORCPT=a@b.example", "ORCPT=rfc822;", "ORCPT=;x", "ORCPT=rfc822;a=b"],
)  # fmt: skip
def test_a_wrong_value_at_rcpt_is_501(parameters):
    assert refused(rcpt, f"TO:<a@b.example> {parameters}").startswith("501 5.5.4")


def test_a_duplicate_is_501_and_an_unknown_one_555():
    assert refused(mail, "FROM:<a@b.example> SIZE=1 size=2").startswith("501 5.5.4")
    assert refused(mail, "FROM:<a@b.example> SMTPUTF8 SMTPUTF8").startswith("501 5.5.4")
    assert refused(mail, "FROM:<a@b.example> XFOO=1").startswith("555 5.5.4")
    assert refused(mail, "FROM:<a@b.example> NOTIFY=NEVER").startswith("555 5.5.4")
    assert refused(rcpt, "TO:<a@b.example> SIZE=1").startswith("555 5.5.4")


def test_parameters_belong_to_ehlo():
    told = refused(parse_mail, "FROM:<a@b.example> SIZE=1", extended=False)
    assert told.startswith("555 5.5.4")
    told = refused(parse_rcpt, "TO:<a@b.example> NOTIFY=NEVER", extended=False, smtputf8=False)
    assert told.startswith("555 5.5.4")


def test_a_malformed_address_is_501_and_says_whose():
    assert refused(mail, "FROM:<a b@c>").startswith("501 5.1.7")
    assert refused(rcpt, "TO:<a b@c>").startswith("501 5.1.3")
    assert refused(rcpt, "TO:<>").startswith("501 5.1.3")
    assert refused(rcpt, "TO:<webmaster>").startswith("501 5.1.3")
    assert refused(mail, "TO:<a@b.example>").startswith("501 5.5.4")
    assert refused(rcpt, "").startswith("501 5.5.4")


def test_the_postmaster_needs_no_domain():
    assert rcpt("TO:<postmaster>") == Recipient("postmaster")
    assert rcpt("TO:<@hop.example:PostMaster> NOTIFY=NEVER") == Recipient("PostMaster", "NEVER")
    assert refused(mail, "FROM:<postmaster>").startswith("501 5.1.7")


def test_orcpt_may_hold_utf8_under_its_own_type():
    found = rcpt("TO:<a@b.example> ORCPT=utf-8;jörg@b.example")
    assert found.orcpt == "utf-8;jörg@b.example"


@pytest.mark.parametrize("address", ["a=b", "a+b", "a+2", "j\\o", "\\x{}", "x" * 501, ""])
def test_an_original_recipient_in_utf8_must_be_one_that_can_be_passed_on(address):
    assert refused(rcpt, f"TO:<a@b.example> ORCPT=utf-8;{address}").startswith("501 5.5.4")
    assert refused(rcpt, "TO:<a@b.example> ORCPT=utf-8").startswith("501 5.5.4")


@pytest.mark.parametrize("address", ["j\\x{F6}rg@b.example", "j\u00f6rg+2Bnews@b.example"])
def test_an_original_recipient_in_utf8_may_be_escaped(address):
    assert rcpt(f"TO:<a@b.example> ORCPT=utf-8;{address}").orcpt == f"utf-8;{address}"


def test_only_ascii_letters_make_a_keyword():
    for parameter in ("NOTIFY=\u017fUCCESS", "NOTIFY=NEVER,\u017f"):
        assert refused(rcpt, f"TO:<a@b.example> {parameter}").startswith("501 5.5.4")
    for parameter in ("RET=HDR\u017f", "BODY=8B\u0131TMIME"):
        assert refused(mail, f"FROM:<a@b.example> {parameter}").startswith("501 5.5.4")
    assert refused(mail, "FROM:<a@b.example> \u017fIZE=1").startswith("555 5.5.4")


def test_a_greeting_needs_one_ascii_word():
    assert parse_domain("[192.0.2.1]") == "[192.0.2.1]"
    for wrong in ("", "a b", "bücher.example", "x" * 256):
        assert refused(parse_domain, wrong).startswith("501 5.5.4")
