from __future__ import annotations

import logging
from base64 import b64encode
from ipaddress import ip_network

import pytest

from relay.core.config import Listener, ListenerAuth
from relay.core.tenants.tenancy import Credential, MailClass, Tenant, directory_of
from relay.edge import identity
from tests.unit.edge.house import LOCAL, TENANT, open_house

CLEAR = Listener("127.0.0.1", 0, plaintext_auth=True)


def b64(text: str) -> str:
    return b64encode(text.encode()).decode()


PLAIN = "AUTH PLAIN " + b64("\0acme\0right")
WRONG = "AUTH PLAIN " + b64("\0acme\0wrong")


@pytest.fixture(autouse=True)
def _short_delays(monkeypatch):
    monkeypatch.setattr(identity, "delay_s", lambda failures: failures / 1000)


async def test_all_four_ways_to_log_in():
    async with open_house(CLEAR) as house:
        for transcript in (
            f"C: {PLAIN}\nS: 235 2.7.0",
            f"C: AUTH PLAIN\nS: 334\nC: {b64('acme') and b64(chr(0) + 'acme' + chr(0) + 'right')}\nS: 235 2.7.0",
            f"C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: {b64('acme')}\nS: 334 UGFzc3dvcmQ6\nC: {b64('right')}\nS: 235",
            f"C: auth login {b64('acme')}\nS: 334 UGFzc3dvcmQ6\nC: {b64('right')}\nS: 235 2.7.0",
        ):
            client = await house.greeted()
            await client.follow(transcript)
            assert (await client.send()).code == 250
            speaker = house.relay.submissions.pop().client
            assert (speaker.tenant, speaker.username) == (TENANT, "acme")
            assert (speaker.mail_class, speaker.protocol) == (MailClass.MARKETING, "ESMTPA")


async def test_the_challenge_of_plain_is_empty_but_there():
    async with open_house(CLEAR) as house:
        client = await house.greeted()
        await client.write(b"AUTH PLAIN\r\n")
        assert (await client.reader.readline()) == b"334 \r\n"


async def test_a_star_cancels_and_the_session_goes_on():
    async with open_house(CLEAR) as house:
        client = await house.greeted()
        await client.follow(f"""
            C: AUTH PLAIN
            S: 334
            C: *
            S: 501 5.7.0
            C: AUTH LOGIN
            S: 334
            C: {b64("acme")}
            S: 334
            C: *
            S: 501 5.7.0
            C: {PLAIN}
            S: 235 2.7.0
        """)


async def test_wrong_credentials_are_535_and_a_few_of_them_the_end():
    async with open_house(CLEAR) as house:
        client = await house.greeted()
        unknown = "AUTH PLAIN " + b64("\0nobody\0right")
        for_another = "AUTH PLAIN " + b64("root\0acme\0right")
        for command in (WRONG, unknown, for_another, WRONG, WRONG):
            assert (await client.do(command)).last.startswith("535 5.7.8")
        assert (await client.do(WRONG)).last.startswith("421 4.7.0")
        assert await client.is_closed()
        assert house.observer.failures == 6


async def test_failures_are_held_back_longer_and_longer(monkeypatch):
    slept = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.undo()
    monkeypatch.setattr(identity.asyncio, "sleep", sleep)
    async with open_house(CLEAR) as house:
        client = await house.greeted()
        for _ in range(3):
            await client.do(WRONG)
    assert slept[:3] == sorted(set(slept[:3]))
    assert len(slept[:3]) == 3


async def test_auth_is_for_once_and_not_for_the_middle_of_a_transaction():
    async with open_house(CLEAR) as house:
        client = await house.greeted()
        await client.follow(f"""
            C: MAIL FROM:<a@acme.example>
            S: 250
            C: {PLAIN}
            S: 503 5.5.1
            C: RSET
            S: 250
            C: {PLAIN}
            S: 235 2.7.0
            C: {PLAIN}
            S: 503 5.5.1
        """)


async def test_auth_in_clear_is_not_offered_and_538_where_it_is_not_allowed():
    async with open_house(Listener("127.0.0.1", 0)) as house:
        client = await house.greeted()
        assert (await client.do(PLAIN)).last.startswith("538 5.7.11")
        assert (await client.do("AUTH LOGIN")).last.startswith("538 5.7.11")


async def test_auth_in_clear_is_for_loopback_clients_behind_a_proxy_too():
    listener = Listener("127.0.0.1", 0, plaintext_auth=True, proxy_from=(ip_network("127.0.0.1"),))
    async with open_house(listener) as house:
        far = await house.greeted(preamble=b"PROXY TCP4 192.0.2.7 127.0.0.1 1 25\r\n")
        assert (await far.do(PLAIN)).last.startswith("538 5.7.11")


async def test_auth_needs_ehlo_and_a_listener_that_has_it():
    async with open_house(CLEAR, Listener("127.0.0.1", 0, auth=ListenerAuth.NONE)) as house:
        client = await house.connect()
        await client.follow(f"S: 220\nC: HELO x\nS: 250\nC: {PLAIN}\nS: 503 5.5.1")
        other = await house.greeted(1)
        assert (await other.do(PLAIN)).last.startswith("502 5.5.1")
        assert (await client.do("EHLO x")).code == 250
        assert (await client.do("AUTH GSSAPI")).last.startswith("504 5.5.4")


async def test_a_response_may_be_long_but_not_endless():
    async with open_house(CLEAR) as house:
        client = await house.greeted()
        assert (await client.do("AUTH PLAIN " + b64("\0acme\0" + "x" * 8000))).code == 535
        assert (await client.do("AUTH PLAIN " + "A" * 20_000)).last.startswith("500 5.5.2")
        await client.follow("C: AUTH LOGIN\nS: 334")
        assert (await client.do("A" * 20_000)).last.startswith("500 5.5.6")  # RFC 4954 §6
        assert (await client.do("NOOP")).last == "250 2.0.0 Ok"


async def test_a_credential_that_a_reload_took_away_is_good_for_no_further_message():
    async with open_house(CLEAR) as house:
        client = await house.greeted()
        assert (await client.do(PLAIN)).code == 235
        assert (await client.send()).code == 250
        changed = Tenant("acme", credentials=(Credential("acme", "another-hash"),))
        house.settings.directory = directory_of([changed, LOCAL])
        assert (await client.do("MAIL FROM:<a@acme.example>")).last.startswith("530 5.7.0")


@pytest.mark.parametrize(
    ("networks", "told"), [(LOCAL.networks, "renamed"), ((), "local")], ids=["renamed", "removed"]
)
async def test_a_message_is_sent_for_whom_its_client_is_at_its_end_if_anybody(networks, told):
    async with open_house() as house:
        client = await house.greeted()
        await client.envelope()
        house.settings.directory = directory_of([Tenant("renamed", networks=networks)])
        await client.hand_in()
        assert (await client.read()).code == 250
        assert house.relay.submissions[0].client.tenant.name == told


async def test_a_sender_is_checked_once_while_its_session_says_the_same():
    async with open_house(CLEAR) as house:
        client = await house.greeted()
        for _ in range(2):
            await client.follow("C: MAIL FROM:<a@acme.example>\nS: 250\nC: RSET\nS: 250")
        assert [sender for _, sender in house.relay.senders] == ["a@acme.example"]
        await client.follow("C: MAIL FROM:<b@acme.example>\nS: 250\nC: RSET\nS: 250")
        await client.follow("C: MAIL FROM:<a@elsewhere.example>\nS: 550 5.7.1")
        await client.follow("C: MAIL FROM:<a@elsewhere.example>\nS: 550 5.7.1")
        assert len(house.relay.senders) == 4


@pytest.mark.parametrize("change", ["directory", "greeting", "login"])
async def test_a_sender_is_checked_again_once_its_session_may_be_somebody_else(change):
    async with open_house(CLEAR) as house:
        client = await house.greeted()
        await client.follow("C: MAIL FROM:<a@acme.example>\nS: 250\nC: RSET\nS: 250")
        if change == "directory":
            house.settings.directory = directory_of([LOCAL])
        elif change == "greeting":
            await client.do("EHLO other.example")
        else:
            assert (await client.do(PLAIN)).code == 235
        await client.follow("C: MAIL FROM:<a@acme.example>\nS: 250")
        (before, _), (after, _) = house.relay.senders
        assert before is not after


async def test_an_authenticator_that_fails_is_a_temporary_problem():
    async with open_house(CLEAR) as house:
        client = await house.greeted()
        house.settings.directory = None
        assert (await client.do(PLAIN)).last.startswith("451 4.3.0")


async def test_nothing_of_an_exchange_is_ever_logged(caplog):
    with caplog.at_level(logging.DEBUG):
        async with open_house(CLEAR) as house:
            client = await house.greeted()
            await client.do(WRONG)
            await client.follow(
                f"C: AUTH LOGIN\nS: 334\nC: {b64('acme')}\nS: 334\nC: {b64('hunter2')}\nS: 535"
            )
            await client.do(PLAIN)
            await client.send()
    for secret in ("wrong", "right", "hunter2", b64("hunter2"), PLAIN[11:], WRONG[11:]):
        assert secret not in caplog.text
    at_info = [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]
    assert not any("@" in message or "acme" in message for message in at_info)
    assert any("127.0.0.1" in message for message in at_info)
