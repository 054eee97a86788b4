"""Guessing tokens with the real command: counted over connections, slowed, then unheard."""

from __future__ import annotations

import statistics
import time

import pytest

from relay.app import authenticate
from relay.core.tenants.tenancy import Credential, Tenant, directory_of
from relay.settings.tokens import hash_token, new_token
from tests.attacks.conftest import Besiege, Besieged

PER_ADDRESS, PER_ACCOUNT = 6, 12


@pytest.fixture(scope="module")
def besieged(besiege: Besiege) -> Besieged:
    limits = {
        "auth_failures_per_address": PER_ADDRESS,
        "auth_failures_per_account": PER_ACCOUNT,
        "auth_window": "1h",
    }
    return besiege(more={"limits": limits})


def guess(besieged: Besieged, source: str, username: str, token: str) -> int:
    with besieged.wire(source=source) as wire:
        return wire.auth_plain(username, token).code


def test_guessing_is_counted_slowed_and_stopped(besieged: Besieged) -> None:
    assert guess(besieged, "127.0.0.2", "acme", besieged.acme.token) == 235  # the owner's address
    began = time.monotonic()
    codes = [guess(besieged, "127.0.0.3", f"user{n}", "wrong") for n in range(PER_ADDRESS)]
    assert codes == [535] * PER_ADDRESS
    assert time.monotonic() - began > 0.1 + 0.2 + 0.4 + 0.8 + 1.6, "each was a new connection"
    for username, token in (("user9", "wrong"), ("rival", besieged.rival.token)):
        assert guess(besieged, "127.0.0.3", username, token) == 454
    assert guess(besieged, "127.0.0.4", "rival", besieged.rival.token) == 235

    for number in range(PER_ACCOUNT):
        assert guess(besieged, f"127.0.1.{number}", "acme", "wrong") == 535
    assert guess(besieged, "127.0.2.1", "acme", besieged.acme.token) == 454
    assert guess(besieged, "127.0.0.2", "acme", besieged.acme.token) == 235, "locked out"

    relay = besieged.relay
    assert relay.metric("relay_auth_failures_total") == PER_ADDRESS + PER_ACCOUNT
    assert relay.metric("relay_auth_blocked_total") == 3
    assert "authentication from 127.0.0.3 failed" in besieged.log()


def test_one_connection_has_so_many_tries(besieged: Besieged) -> None:
    with besieged.wire(source="127.0.0.5") as wire:
        codes = [wire.auth_plain("x", "wrong").code for _ in range(6)]
    assert codes == [535] * 5 + [421]


def test_an_unknown_name_takes_as_long_as_a_known_one() -> None:
    secret = hash_token(new_token())
    tenant = Tenant("acme", credentials=(Credential("acme", secret),))

    class Fixed:
        directory = directory_of([tenant])

    def cpu_s(username: str) -> float:
        began = time.process_time()
        for _ in range(300):
            assert authenticate(Fixed(), username, "wr_" + "x" * 43) is None
        return time.process_time() - began

    pairs = [(cpu_s("acme"), cpu_s("nobody")) for _ in range(15)]
    ratio = statistics.median(known / unknown for known, unknown in pairs)
    assert 0.7 < ratio < 1.4
