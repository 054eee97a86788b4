"""A key or a certificate whose place is taken by a pipe, which whoever opens it waits at for ever."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest

from tests.conftest import MakeRelay
from tests.harness.certs import Authority
from tests.harness.dkim_keys import DkimKeys
from tests.harness.relay_config import DOMAIN
from tests.harness.upstream import SinkThread
from tests.harness.waiting import until
from tests.harness.wire import Wire, mail

SENDER = f"news@{DOMAIN}"
OTHER = "letters.acme.example"
ANSWER_S = 10.0


def make_pipe(path: Path) -> None:
    """In the place of the file, as private as that."""
    path.unlink()
    os.mkfifo(path, 0o600)


def test_a_key_that_is_a_pipe_defers_its_domain_and_nobody_else(
    make_relay: MakeRelay, sink: SinkThread, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    domains = {name: {"dkim": DkimKeys(keys, name).section} for name in (DOMAIN, OTHER)}
    relay = make_relay(upstream=sink.url, domains=domains).start()
    make_pipe(keys / f"{DOMAIN}.s1.pem")

    with Wire(relay.port, timeout_s=ANSWER_S) as wire:
        deferred = wire.send(SENDER, "reader@example.org", mail(SENDER))
        other = f"news@{OTHER}"
        assert wire.send(other, "reader@example.org", mail(other)).code == 250

    assert (deferred.code, deferred.enhanced) == (451, "4.3.0"), deferred
    assert "s1.pem is not a file" in relay.log_tail()
    assert relay.status()["reserved_now"] == 0
    found = relay.cli("check", "--offline")
    assert (found.exit, "s1.pem is not a file" in found.out) == (1, True), found
    assert relay.sigterm() == 0


@pytest.mark.parametrize("what", ["certificate", "key"])
def test_a_certificate_that_is_a_pipe_leaves_the_old_one(
    make_relay: MakeRelay, authority: Authority, what: str
) -> None:
    issued = authority.issue("relay")
    files = {"certificate": issued.certificate, "key": issued.key}
    listener = {"tls": "implicit"} | {name: str(path) for name, path in files.items()}
    relay = make_relay(listeners=[listener]).start()
    make_pipe(files[what])

    relay.hang_up()
    until(lambda: "kept as it was" in relay.log_tail(), "the refusal", detail=relay.log_tail)

    context = ssl.create_default_context(cafile=str(authority.ca_file))
    with Wire(relay.port, tls=context, timeout_s=ANSWER_S) as wire:
        assert wire.serial() == issued.serial
        assert wire.send(SENDER, "reader@example.org", mail(SENDER)).code == 250
    assert f"{files[what]} is not a file" in relay.log_tail()
    assert relay.metric("relay_policy_reload_failed") == 1
    found = relay.cli("check", "--offline")
    assert (found.exit, "is not a file" in found.out) == (1, True), found
