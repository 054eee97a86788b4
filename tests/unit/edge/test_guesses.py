from __future__ import annotations

from base64 import b64encode
from ipaddress import ip_address

import pytest

from relay.core.config import Limits, Listener
from relay.edge import guesses as module
from relay.edge import identity
from relay.edge.guesses import Guesses
from tests.unit.edge.house import open_house

LIMITS = Limits(auth_failures_per_address=3, auth_failures_per_account=5, auth_window_s=30)
HERE, THERE = ip_address("192.0.2.1"), ip_address("192.0.2.2")
CLEAR = Listener("127.0.0.1", 0, plaintext_auth=True)


def plain(username: str, token: str) -> str:
    return "AUTH PLAIN " + b64encode(f"\0{username}\0{token}".encode()).decode()


def test_an_address_may_fail_so_often_whatever_names_it_tries():
    guesses = Guesses()
    for number in range(3):
        assert not guesses.blocks(HERE, f"user{number}", LIMITS, 0)
        assert guesses.failed(HERE, f"user{number}", LIMITS, 0) == number + 1
    assert guesses.blocks(HERE, "another", LIMITS, 0)
    assert not guesses.blocks(THERE, "another", LIMITS, 0)


def test_an_account_may_be_guessed_at_so_often_from_wherever():
    guesses = Guesses()
    for number in range(5):
        address = ip_address(f"198.51.100.{number}")
        assert not guesses.blocks(address, "acme", LIMITS, 0)
        guesses.failed(address, "acme", LIMITS, 0)
    assert guesses.blocks(HERE, "acme", LIMITS, 0)
    assert not guesses.blocks(HERE, "other", LIMITS, 0)


def test_nobody_can_lock_the_owner_out():
    guesses = Guesses()
    guesses.succeeded(HERE, "acme")
    for _ in range(5):
        guesses.failed(THERE, "acme", LIMITS, 0)
        guesses.failed(HERE, "an old name", LIMITS, 0)
    assert not guesses.blocks(HERE, "acme", LIMITS, 0)
    assert guesses.blocks(THERE, "acme", LIMITS, 0)
    assert guesses.blocks(HERE, "other", LIMITS, 0)


def test_failures_age_one_by_one():
    guesses = Guesses()
    for _ in range(3):
        guesses.failed(HERE, "x", LIMITS, 100)
    assert guesses.blocks(HERE, "y", LIMITS, 109)  # a third of the window for each of three
    assert not guesses.blocks(HERE, "y", LIMITS, 111)
    guesses.failed(HERE, "x", LIMITS, 111)
    assert guesses.blocks(HERE, "y", LIMITS, 112)


def test_one_customer_of_ipv6_is_one_address():
    guesses = Guesses()
    for number in range(3):
        guesses.failed(ip_address(f"2001:db8::{number}"), "x", LIMITS, 0)
    assert guesses.blocks(ip_address("2001:db8::ffff:1"), "y", LIMITS, 0)
    assert not guesses.blocks(ip_address("2001:db8:0:1::1"), "y", LIMITS, 0)


def test_memory_is_bounded_whatever_is_tried(monkeypatch):
    monkeypatch.setattr(module, "MOST_KEPT", 100)
    guesses = Guesses()
    for number in range(1000):
        address = ip_address(0x0A000000 + number)
        guesses.failed(address, "x" * 5000 + str(number), LIMITS, 0)
        guesses.succeeded(address, str(number))
    kept = (guesses._addresses._levels, guesses._accounts._levels, guesses._known)
    assert [len(each) for each in kept] == [100, 100, 100]
    assert all(len(account) == 16 for account in guesses._accounts._levels)


async def test_a_new_connection_does_not_begin_anew(monkeypatch):
    monkeypatch.setattr(identity, "delay_s", lambda failures: failures / 1000)
    async with open_house(CLEAR, limits=LIMITS) as house:
        for _ in range(3):
            client = await house.greeted()
            assert (await client.do(plain("x", "wrong"))).last.startswith("535 5.7.8")
            client.close()
        client = await house.greeted()
        right, wrong = [await client.do(plain("acme", token)) for token in ("right", "wrong")]
        assert right.last.startswith("454 4.7.0")
        assert right.last == wrong.last, "a right token can be told from a wrong one"
        assert (house.observer.failures, house.observer.blocked) == (3, 2)


async def test_the_tarpit_remembers_an_address_over_its_connections(monkeypatch):
    asked = []
    monkeypatch.setattr(identity, "delay_s", lambda failures: asked.append(failures) or 0)
    limits = Limits(auth_failures_per_address=100)
    async with open_house(CLEAR, limits=limits) as house:
        for _ in range(4):
            client = await house.greeted()
            await client.do(plain("acme", "wrong"))
            client.close()
    assert asked == [1, 2, 3, 4]


@pytest.mark.parametrize("name", ["\ud800", "ü" * 5000, ""])
def test_any_name_can_be_counted(name):
    assert not Guesses().blocks(HERE, name, LIMITS, 0)
