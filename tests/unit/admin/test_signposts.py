"""Where people are told to point their applications."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from relay.admin.signposts import submission
from relay.core.config import Listener


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_a_relay_that_only_its_own_machine_reaches_is_named_by_its_address(host):
    listener = Listener(host, 2525)
    assert submission(config_of(listener)) == (host, listener)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_one_that_others_reach_is_named_by_its_name_and_that_listener(host):
    wanted = Listener(host, 587)
    assert submission(config_of(Listener("::1", 2525), wanted)) == ("relay.example.net", wanted)


def config_of(*listeners: Listener) -> SimpleNamespace:
    return SimpleNamespace(hostname="relay.example.net", listeners=listeners)
