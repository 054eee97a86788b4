"""`check` of a config that added domains rely on."""

from __future__ import annotations

import pytest

from tests.conftest import MakeRelay
from tests.harness.added import add
from tests.harness.relay_config import calendar
from tests.harness.web_process import WebProcess

POLICIES = {"ramp": calendar(5), "spare": calendar(9)}


def rows(ran) -> dict[str, tuple[bool, str, bool]]:
    found = {
        each["part"]: (each["ok"], each["says"], each["online"]) for each in ran.json["checks"]
    }
    return {part: told for part, told in found.items() if part.startswith(("added", "store"))}


@pytest.mark.slow
def test_check_counts_added_domains_and_names_those_that_the_config_does_not_bear(
    make_relay: MakeRelay,
) -> None:
    relay = make_relay(api=True, policies=POLICIES)
    relay.start()
    assert rows(relay.cli("check", "--json"))["added domains"] == (True, "none", True)
    web = WebProcess(relay, relay.config.web_port)
    web.token = web.make_token("read", "manage")
    add(web, "a.acme.example", policy="spare")
    add(web, "b.acme.example")
    assert relay.cli("domains", "verify", "b.acme.example", "--approve").exit == 0
    counted = (True, "2, of which 1 are not verified yet", True)
    whole = {"store": (True, "embedded: answers", True), "added domains": counted}
    assert rows(relay.cli("check", "--json")) == whole

    (relay.home / "policies" / "spare.yaml").unlink()
    broken = relay.cli("check", "--json")
    says = "routes.0.policy: there is no policy 'spare' in the relay's config"
    assert broken.exit == 1
    assert rows(broken) == whole | {"added domain a.acme.example": (False, says, True)}
    assert "added domain" not in relay.cli("check", "--offline").out
    relay.sigterm()
    assert rows(relay.cli("check", "--json")) == rows(broken), "with no relay there too"


def test_a_store_that_is_away_says_so_and_nothing_of_domains(make_relay: MakeRelay) -> None:
    relay = make_relay(store="redis://127.0.0.1:1/0")
    told = rows(relay.cli("check", "--json"))
    assert list(told) == ["store"]
    assert told["store"][0] is False
