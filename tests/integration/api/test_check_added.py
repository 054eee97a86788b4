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


def test_check_names_added_domains_whose_keys_cannot_be_opened(make_relay: MakeRelay) -> None:
    relay = make_relay(policies=POLICIES).start()
    adding = ("domains", "add", "a.acme.example", "--tenant", "acme", "--policy", "ramp")
    assert relay.cli(*adding).exit == 0
    assert list(rows(relay.cli("check", "--json"))) == ["store", "added domains"]
    secret = relay.home / "var" / "sealing.key"
    secret.write_text("another secret, of more than thirty-two bytes\n")
    broken = relay.cli("check", "--json")
    assert broken.exit == 1
    is_fine, says, _ = rows(broken)["added domain a.acme.example"]
    assert (is_fine, "it is sealed with another secret" in says) == (False, True)
    secret.unlink()
    assert "cannot be read" in rows(relay.cli("check", "--json"))["added domain a.acme.example"][1]
    assert not secret.exists(), "looking makes none"


def test_check_looks_at_the_secret_that_the_config_names(make_relay: MakeRelay) -> None:
    relay = make_relay(more={"secrets": {"key_file": "sealing.key"}})
    path = relay.home / "sealing.key"
    assert f"PROBLEM secrets.key_file: {path} cannot be read" in relay.cli("check").out
    path.touch(mode=0o600)
    path.write_text("short")
    assert f"PROBLEM secrets.key_file: {path} holds less than" in relay.cli("check").out
    path.write_text("a secret of more than thirty-two bytes\n")
    assert f"ok      secrets.key_file: {path}\n" in relay.cli("check", "--offline").out
    path.chmod(0o644)
    assert f"PROBLEM secrets.key_file: {path}" in relay.cli("check", "--offline").out
