from __future__ import annotations

import asyncio

import pytest

from relay.core.config import Limits, Listener, ListenerAuth
from relay.core.errors import StoreTrouble, WarmupLimit
from relay.core.policy.policy import EXEMPT
from relay.core.quota.reservation import Standing, Wall, WallKind
from relay.core.reply import Reply
from relay.core.tenants.tenancy import Route, RouteId
from tests.unit.edge.house import LOCAL, TENANT, open_house
from tests.unit.edge.recording import WINDOW


async def test_a_message_goes_through_and_its_reply_is_the_upstreams_with_the_reference():
    async with open_house() as house:
        client = await house.connect()
        heard = await client.follow("""
            S: 220 relay.example.net ESMTP warmup-relay
            C: HELO client.example
            S: 250 relay.example.net
            C: MAIL FROM:<News@Acme.example>
            S: 250 2.1.0
            C: RCPT TO:<Reader@Example.org>
            S: 250 2.1.5
            C: RCPT TO:<second@example.org>
            S: 250 2.1.5
            C: DATA
            S: 354 End data with
            C: Subject: hello
            C:
            C: body
            C: .
            S: 250 2.0.0 Ok: queued as X [
            C: QUIT
            S: 221 2.0.0
        """)
        assert await client.is_closed()
        (submission,) = house.relay.submissions
        assert submission.content == b"Subject: hello\r\n\r\nbody\r\n"
        assert submission.envelope.mail_from == "News@Acme.example"
        addresses = [recipient.address for recipient in submission.envelope.recipients]
        assert addresses == ["Reader@Example.org", "second@example.org"]
        assert submission.client.tenant is LOCAL
        assert submission.client.protocol == "SMTP"
        assert submission.client.helo == "client.example"
        assert submission.client.address == "127.0.0.1"
        assert submission.session == "r1.1"
        assert len(submission.ref) >= 12
        assert heard[-2].last == f"250 2.0.0 Ok: queued as X [{submission.ref}]"


async def test_ehlo_offers_what_works_and_nothing_else():
    async with open_house(limits=Limits(message_bytes=1000, recipients=7)) as house:
        client = await house.connect()
        await client.read()
        heard = await client.do("EHLO client.example")
        assert [line[4:] for line in heard.lines] == [
            "relay.example.net",
            "PIPELINING",
            "SIZE 1000",
            "ENHANCEDSTATUSCODES",
            "LIMITS RCPTMAX=7",
            "8BITMIME",
            "SMTPUTF8",
            "DSN",
        ]


async def test_what_upstreams_have_to_know_is_offered_where_they_do_and_taken_in_any_case():
    lists = [(), ("DSN",), ("8BITMIME", "DSN", "SMTPUTF8")]
    for lacking in lists:
        async with open_house(lacking=lacking) as house:
            client = await house.connect()
            await client.read()
            heard = await client.do("EHLO client.example")
            offered = {line[4:] for line in heard.lines}
            assert {"8BITMIME", "DSN", "SMTPUTF8"} - offered == set(lacking)
            await client.follow("""
                C: MAIL FROM:<a@acme.example> RET=HDRS ENVID=QQ314159 BODY=8BITMIME
                S: 250 2.1.0
                C: RCPT TO:<b@example.org> NOTIFY=SUCCESS,delay ORCPT=rfc822;B@Example.org
                S: 250 2.1.5
            """)
            await client.hand_in()
            assert (await client.read()).code == 250
            envelope = house.relay.submissions[0].envelope
            assert (envelope.ret, envelope.envid, envelope.body) == ("HDRS", "QQ314159", "8BITMIME")
            (recipient,) = envelope.recipients
            assert recipient.notify == "SUCCESS,delay"
            assert recipient.orcpt == "rfc822;B@Example.org"


async def test_commands_out_of_order_are_refused_and_change_nothing():
    async with open_house() as house:
        client = await house.connect()
        await client.follow("""
            S: 220
            C: MAIL FROM:<a@acme.example>
            S: 503 5.5.1
            C: EHLO client.example
            S: 250
            C: RCPT TO:<b@example.org>
            S: 503 5.5.1
            C: DATA
            S: 503 5.5.1
            C: MAIL FROM:<a@acme.example>
            S: 250 2.1.0
            C: MAIL FROM:<a@acme.example>
            S: 503 5.5.1
            C: DATA
            S: 503 5.5.1
            C: RSET
            S: 250 2.0.0
            C: RCPT TO:<b@example.org>
            S: 503 5.5.1
            C: MAIL FROM:<a@acme.example>
            S: 250 2.1.0
            C: EHLO client.example
            S: 250
            C: RCPT TO:<b@example.org>
            S: 503 5.5.1
        """)
        assert house.relay.submissions == []


async def test_the_small_verbs_answer_as_the_rfc_says():
    async with open_house() as house:
        client = await house.greeted()
        await client.follow("""
            C: NOOP
            S: 250 2.0.0
            C: noop whatever
            S: 250 2.0.0
            C: HELP
            S: 214 2.0.0
            C: VRFY reader
            S: 252 2.1.5
            C: VRFY
            S: 501 5.5.4
            C: EXPN list
            S: 502 5.5.1
            C: RSET now
            S: 501 5.5.4
            C: QUIT now
            S: 501 5.5.4
            C: DATA now
            S: 501 5.5.4
            C: EHLO
            S: 501 5.5.4
            C: HELO two words
            S: 501 5.5.4
            C: BDAT 10 LAST
            S: 500 5.5.1
            C: PROXY TCP4 1.2.3.4 5.6.7.8 1 2
            S: 500 5.5.1
            C: STARTTLS
            S: 502 5.5.1
        """)


@pytest.mark.parametrize(
    "line",
    [b"NO\0OP", b"NOOP \x07", b"NOOP\rNOOP", b"\x16\x03\x01", b"NOOP \xff\xfe", b"", b" NOOP",
     "NÖÖP".encode(), b"MAIL FROM:<a\0@acme.example>"],
)  # fmt: skip
async def test_a_line_that_is_no_command_is_refused_and_the_next_one_is_understood(line):
    async with open_house() as house:
        client = await house.greeted()
        assert (await client.do(line)).last.startswith("500 5.5.2")
        assert (await client.do("NOOP")).code == 250


@pytest.mark.parametrize("verb", ["GET / HTTP/1.1", "POST /x HTTP/1.1", "CONNECT a:25 HTTP/1.1"])
async def test_a_web_browser_is_shown_the_door_at_once(verb):
    async with open_house() as house:
        client = await house.connect()
        await client.read()
        await client.write(f"{verb}\r\nHost: x\r\n\r\nMAIL FROM:<a@acme.example>\r\n".encode())
        assert (await client.read()).last.startswith("421 4.7.0")
        assert await client.is_closed()
        assert house.relay.senders == []


async def test_a_sender_that_is_not_the_tenants_is_refused_at_mail():
    async with open_house() as house:
        client = await house.greeted()
        heard = await client.do("MAIL FROM:<a@elsewhere.example>")
        assert heard.last.startswith("550 5.7.1 elsewhere.example is not a domain")
        assert (await client.do("MAIL FROM:<>")).last.startswith("250 2.1.0")
        assert [sender for _, sender in house.relay.senders] == ["a@elsewhere.example", ""]


async def test_nobody_relays_without_a_tenant():
    listener = Listener("127.0.0.1", 0, auth=ListenerAuth.NONE)
    async with open_house(listener, tenants=(TENANT,)) as house:
        client = await house.greeted()
        assert (await client.do("MAIL FROM:<a@acme.example>")).last.startswith("550 5.7.1")
        assert house.relay.senders == []


async def test_where_authentication_could_help_its_absence_is_530():
    listener = Listener("127.0.0.1", 0, auth=ListenerAuth.REQUIRED, plaintext_auth=True)
    async with open_house(listener) as house:  # 127.0.0.0/8 is a tenant's network
        client = await house.greeted()
        assert (await client.do("MAIL FROM:<a@acme.example>")).last.startswith("530 5.7.0")
        assert (await client.do("MAIL FROM")).last.startswith("530 5.7.0")


async def test_size_is_refused_at_mail_before_a_byte_is_sent():
    async with open_house(limits=Limits(message_bytes=1000)) as house:
        client = await house.greeted()
        assert (await client.do("MAIL FROM:<a@acme.example> SIZE=1001")).last.startswith(
            "552 5.3.4"
        )
        assert (await client.do("MAIL FROM:<a@acme.example> SIZE=1000")).code == 250


async def test_too_many_recipients_are_told_so_and_the_others_are_sent_to():
    async with open_house(limits=Limits(recipients=2)) as house:
        client = await house.greeted()
        await client.envelope("a@example.org", "b@example.org")
        assert (await client.do("RCPT TO:<c@example.org>")).last.startswith("452 4.5.3")
        await client.hand_in()
        assert (await client.read()).code == 250
        assert len(house.relay.submissions[0].envelope.recipients) == 2


def _walled() -> WarmupLimit:
    route = Route(RouteId("acme.example", "outbound"), EXEMPT)
    return WarmupLimit(Wall(WallKind.DOMAIN, route, WINDOW, Standing(charged=9), 1))


async def test_a_quota_refusal_at_the_first_recipient_is_repeated_at_every_other_one():
    async with open_house() as house:
        client = await house.greeted()
        house.relay.quota_error = _walled()
        assert (await client.do("MAIL FROM:<a@acme.example>")).code == 250
        first = await client.do("RCPT TO:<b@example.org>")
        assert first.last.startswith("451 4.7.1 acme.example temporarily rate limited by warm-up")
        assert await client.do("RCPT TO:<c@example.org>") == first
        assert (await client.do("DATA")).last.startswith("554 5.5.1 no valid recipients")
        assert len(house.relay.quota_asked) == 1
        assert len(house.relay.quota_asked[0].recipients) == 1
        await client.do("RSET")
        house.relay.quota_error = None
        assert (await client.send()).code == 250


async def test_who_sends_no_rset_after_refused_recipients_begins_the_next_message_with_mail():
    async with open_house(limits=Limits(errors=1)) as house:
        client = await house.greeted()
        house.relay.quota_error = _walled()
        for _ in range(3):
            lines = ("MAIL FROM:<a@acme.example>", "RCPT TO:<b@example.org>", "DATA")
            await client.write("".join(f"{line}\r\n" for line in lines).encode())
            assert [(await client.read()).code for _ in lines] == [250, 451, 554]
        house.relay.quota_error = None
        assert (await client.send()).code == 250
        assert len(house.relay.submissions) == 1


async def test_deferrals_are_not_errors_of_the_client():
    async with open_house(limits=Limits(errors=2)) as house:
        client = await house.greeted()
        house.relay.quota_error = _walled()
        for _ in range(6):
            assert (await client.do("MAIL FROM:<a@acme.example>")).code == 250
            assert (await client.do("RCPT TO:<b@example.org>")).code == 451
            assert (await client.do("DATA")).code == 554
            assert (await client.do("RSET")).code == 250
        for _ in range(6):
            assert (await client.do("MAIL FROM:<a@elsewhere.example>")).code == 550
            assert (await client.do("RCPT TO:<b@example.org>")).code == 503


@pytest.mark.parametrize("error", [StoreTrouble(), ValueError("the password is hunter2")])
async def test_every_internal_failure_is_451_with_a_reference_and_no_internals(error):
    async with open_house() as house:
        client = await house.greeted()
        house.relay.error = error
        heard = await client.send()
        ref = house.relay.submissions[0].ref
        expected = f"451 4.3.0 temporary local problem, please try again later [{ref}]"
        assert heard.last == expected
        house.relay.error = None
        assert (await client.send()).code == 250


async def test_an_unexpected_failure_at_rcpt_refuses_the_transaction_alone():
    async with open_house() as house:
        client = await house.greeted()
        house.relay.quota_error = KeyError("x")
        await client.do("MAIL FROM:<a@acme.example>")
        assert (await client.do("RCPT TO:<b@example.org>")).last.startswith("451 4.3.0")
        assert (await client.do("RCPT TO:<b@example.org>")).last.startswith("451 4.3.0")
        assert (await client.do("DATA")).code == 554


async def test_an_upstream_without_enhanced_codes_is_given_one_of_its_class():
    async with open_house() as house:
        client = await house.greeted()
        house.relay.reply = Reply(250, None, "first line\nqueued")
        heard = await client.send()
        assert heard.lines[0] == "250-2.0.0 first line"
        assert heard.last.startswith("250 2.0.0 queued [")


async def test_each_message_of_a_session_has_a_reference_of_its_own():
    async with open_house() as house:
        client = await house.greeted()
        for _ in range(3):
            assert (await client.send()).code == 250
        assert len({submission.ref for submission in house.relay.submissions}) == 3
        assert {submission.session for submission in house.relay.submissions} == {"r1.1"}


async def test_smtputf8_addresses_need_the_parameter_and_then_pass_unchanged():
    async with open_house() as house:
        client = await house.greeted()
        assert (await client.do("MAIL FROM:<jörg@acme.example>")).last.startswith("553 5.6.7")
        assert (await client.do("MAIL FROM:<a@acme.example>")).code == 250
        assert (await client.do("RCPT TO:<jörg@example.org>")).last.startswith("553 5.6.7")
        await client.do("RSET")
        assert (await client.do("MAIL FROM:<jörg@acme.example> SMTPUTF8")).code == 250
        assert (await client.do("RCPT TO:<用户@例子.example>")).code == 250
        await client.hand_in()
        assert (await client.read()).code == 250
        submission = house.relay.submissions[0]
        assert submission.envelope.mail_from == "jörg@acme.example"
        assert submission.envelope.recipients[0].address == "用户@例子.example"
        assert submission.envelope.smtputf8
        assert submission.client.protocol == "UTF8SMTP"


async def test_after_data_the_next_transaction_starts_from_nothing():
    async with open_house() as house:
        client = await house.greeted()
        house.relay.error = StoreTrouble()
        assert (await client.send()).code == 451
        assert (await client.do("RCPT TO:<b@example.org>")).last.startswith("503 5.5.1")


async def test_a_command_is_answered_before_the_store_was_told_what_it_shows():
    async with open_house() as house:
        told = asyncio.Event()

        async def heard(receipt):
            await told.wait()
            house.relay.log.append(f"heard {receipt.id}")

        house.relay.heard = heard
        client = await house.greeted()
        assert (await client.send()).code == 250
        assert (await client.do("MAIL FROM:<news@acme.example>")).code == 250
        assert "heard m1" not in house.relay.log
        assert (await client.do("QUIT")).code == 221
        client.close()
        await asyncio.sleep(0.05)
        assert len(house.around.roster) == 1
        told.set()
        await house.empty()
        assert house.relay.log[-1] == "heard m1"
