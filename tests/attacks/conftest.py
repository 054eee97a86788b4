"""One relay process for each module, between an upstream that is watched and clients that lie.

`acme` may send from 127.0.0.1 and with a credential; `rival` with a credential only. Whoever
connects from STRANGER is nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from relay.settings import tokens
from tests.harness.relay_config import DOMAIN, RelayConfig
from tests.harness.relay_process import RelayProcess
from tests.harness.upstream import SinkThread
from tests.harness.wire import Wire

STRANGER = "127.0.0.9"
RIVAL = "rival.example"
SENDER = f"news@{DOMAIN}"


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and what the config holds of it."""

    token: str
    secret: str


@dataclass(slots=True)
class Besieged:
    """A relay, its upstream, and the credentials of its two tenants."""

    relay: RelayProcess
    sink: SinkThread
    acme: Token
    rival: Token

    def wire(self, **options: Any) -> Wire:
        return Wire(self.relay.port, **options)

    def taken(self) -> int:
        return len(self.sink.sink.messages)

    def log(self) -> str:
        return (self.relay.home / "relay.log").read_text(errors="replace")


Besiege = Callable[..., Besieged]


def new_token() -> Token:
    """As `warmup-relay token` makes one."""
    made = tokens.new_token()
    return Token(made, tokens.hash_token(made))


@pytest.fixture(scope="module")
def besiege(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Besiege]:
    """`besiege(**config)`: a relay that serves; its options are those of RelayConfig."""
    with ExitStack() as endings:

        def start(**options: Any) -> Besieged:
            sink = SinkThread()
            endings.callback(sink.end)
            acme, rival = new_token(), new_token()
            config = RelayConfig(
                **{
                    "upstream": sink.url,
                    "listeners": [{"tls": "none", "plaintext_auth": "loopback"}],
                    **options,
                }
            )
            config.more = {"tenants": _tenants(acme, rival)} | config.more
            config.policies["ramp"]["ramp"]["tiers"] = [{"from": 0, "cap": "unlimited"}]
            relay = RelayProcess(tmp_path_factory.mktemp("relay"), config)
            endings.callback(relay.end)
            return Besieged(relay.start(), sink, acme, rival)

        yield start


def _tenants(acme: Token, rival: Token) -> dict[str, Any]:
    route = {"upstream": "outbound", "policy": "ramp"}
    return {
        "acme": {
            "networks": ["127.0.0.1/32"],
            "credentials": [{"username": "acme", "secret": acme.secret}],
            "domains": {DOMAIN: {"routes": [route], "envelope_domains": [f"bounces.{DOMAIN}"]}},
        },
        "rival": {
            "credentials": [{"username": "rival", "secret": rival.secret}],
            "domains": {RIVAL: {"routes": [route]}},
        },
    }
