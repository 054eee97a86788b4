"""A split transaction at the edge: every RCPT its own answer, and an end whatever happens."""

from __future__ import annotations

import pytest

from relay.core.config import Limits
from relay.core.errors import StoreTrouble, UnknownOutcome, UpstreamAnswered
from relay.core.reply import Reply
from tests.unit.edge.house import open_house, until

NO_SUCH_USER = UpstreamAnswered(Reply(550, "1.1", "no such user"), "b@example.org")
MAIL = "MAIL FROM:<news@acme.example>"


def rcpt(name: str) -> str:
    return f"RCPT TO:<{name}@example.org>"


async def split_house_client(house):
    house.relay.splits = True
    house.relay.refused = {"b": NO_SUCH_USER, "c": StoreTrouble()}
    return await house.greeted()


async def test_every_recipient_has_its_own_answer_and_the_accepted_are_handed_over():
    async with open_house() as house:
        client = await split_house_client(house)
        await client.follow(
            f"""
            C: {MAIL}
            S: 250
            C: {rcpt("a")}
            S: 250 2.1.5 fine by me
            C: {rcpt("b")}
            S: 550 5.1.1 <b@example.org>: no such user [
            C: {rcpt("c")}
            S: 451 4.3.0
            C: {rcpt("d")}
            S: 250 2.1.5
            """
        )
        await client.hand_in()
        assert (await client.read()).last.startswith("250 2.0.0 Ok: queued as X [")
        [submission] = house.relay.submissions
        assert [r.address for r in submission.envelope.recipients] == [
            "a@example.org",
            "d@example.org",
        ]
        assert house.relay.quota_asked == []
        await client.do("NOOP")
        assert house.relay.log == [
            *("begin", "take a", "refuse b", "refuse c", "take d"),
            *("relay m1", "taken m1", "heard m1", "heard m1b"),
        ]


async def test_pipelined_recipients_are_answered_in_order():
    async with open_house() as house:
        client = await split_house_client(house)
        lines = [MAIL, *map(rcpt, "abad"), "DATA"]
        await client.write("".join(f"{line}\r\n" for line in lines).encode())
        assert [(await client.read()).code for _ in lines] == [250, 250, 550, 250, 250, 354]


async def test_with_no_recipient_left_there_is_nothing_to_send_and_it_is_no_error_of_the_client():
    async with open_house(limits=Limits(errors=1)) as house:
        client = await split_house_client(house)
        for _ in range(4):
            assert (await client.do(MAIL)).code == 250
            assert (await client.do(rcpt("b"))).code == 550
            assert (await client.do("DATA")).last == "554 5.5.1 no valid recipients"
            assert (await client.do("RSET")).code == 250
        assert house.relay.log == ["begin", "refuse b", "abort"] * 4


async def test_the_next_message_of_who_sends_no_rset_is_none_of_the_one_without_recipients():
    async with open_house() as house:
        client = await split_house_client(house)
        await client.do(MAIL)
        await client.do(rcpt("b"))
        assert (await client.do("DATA")).code == 554
        assert (await client.do(rcpt("a"))).code == 503
        assert (await client.do(MAIL)).code == 250
        assert (await client.do(rcpt("a"))).code == 250
        assert house.relay.log == ["begin", "refuse b", "abort", "begin", "take a"]


async def test_data_before_any_recipient_is_out_of_order_as_ever():
    async with open_house() as house:
        client = await split_house_client(house)
        await client.do(MAIL)
        assert (await client.do("DATA")).code == 503
        assert house.relay.log == []


@pytest.mark.parametrize("command", ["RSET", "EHLO again", "HELO again", "QUIT"])
async def test_the_transaction_is_given_up_before_the_command_that_ends_it_is_answered(command):
    async with open_house() as house:
        client = await split_house_client(house)
        await client.do(MAIL)
        await client.do(rcpt("a"))
        assert (await client.do(command)).code in {250, 221}
        assert house.relay.log == ["begin", "take a", "abort"]


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("stage", ["RCPT", "DATA", "content"])
async def test_a_client_that_vanishes_before_the_final_dot_leaves_nothing_behind(stage, how):
    async with open_house() as house:
        client = await split_house_client(house)
        await client.do(MAIL)
        await client.do(rcpt("a"))
        if stage != "RCPT":
            await client.do("DATA")
        if stage == "content":
            await client.write(b"Subject: x\r\n\r\nhalf of it\r\n.\r")
        getattr(client, how)()
        await house.empty()
        assert house.relay.log == ["begin", "take a", "abort"]


async def test_a_client_that_falls_silent_is_left_and_nothing_is_kept():
    async with open_house(limits=Limits(command_timeout_s=0.1)) as house:
        client = await split_house_client(house)
        await client.do(MAIL)
        await client.do(rcpt("a"))
        assert (await client.read()).last.startswith("421 4.4.2")
        await house.empty()
        assert house.relay.log == ["begin", "take a", "abort"]


async def test_a_message_over_the_limit_gives_the_transaction_up():
    async with open_house(limits=Limits(message_bytes=1000)) as house:
        client = await split_house_client(house)
        await client.do(MAIL)
        await client.do(rcpt("a"))
        await client.do("DATA")
        await client.write(b"x: y\r\n\r\n" + b"z" * 100_000 + b"\r\n.\r\n")
        assert (await client.read()).code == 552
        await house.empty()
        assert house.relay.log == ["begin", "take a", "abort"]


async def test_a_failure_at_the_end_is_told_and_the_next_message_begins_anew():
    async with open_house() as house:
        client = await split_house_client(house)
        house.relay.error = UnknownOutcome()
        for _ in range(2):
            await client.envelope("a@example.org")
            await client.hand_in()
            assert (await client.read()).last.startswith("451 4.3.0")
        assert house.relay.log == ["begin", "take a", "relay m1", "begin", "take a", "relay m2"]


async def test_a_client_that_leaves_while_the_upstream_is_asked_is_noted_for_every_recipient():
    async with open_house() as house:
        client = await split_house_client(house)
        house.relay.gate.clear()
        await client.envelope("a@example.org")
        await client.hand_in()
        await house.relay.under_way.wait()
        client.reset()
        await until(lambda: house.relay.log[-1] == "left")
        house.relay.gate.set()
        await house.empty()
        assert house.relay.log[2:] == ["relay m1", "left", "taken m1", "unheard m1", "unheard m1b"]


async def test_recipients_beyond_the_limit_are_refused_before_anything_is_reserved():
    async with open_house(limits=Limits(recipients=2)) as house:
        client = await split_house_client(house)
        await client.do(MAIL)
        answers = [(await client.do(rcpt("a"))).code for _ in range(4)]
        assert answers == [250, 250, 452, 452]
        assert house.relay.log == ["begin", "take a", "take a"]


@pytest.mark.parametrize("command", [b"RSET\r\n", b"EHLO x\r\n"])
async def test_what_was_taken_is_given_up_also_where_the_session_is_cut_off_right_then(command):
    async with open_house() as house:
        client = await split_house_client(house)
        await client.follow(f"C: {MAIL}\nS: 250\nC: {rcpt('a')}\nS: 250")
        [session] = house.around.roster
        session.data_received(command)
        session.cut_off()
        await until(lambda: house.relay.log == ["begin", "take a", "abort"])
