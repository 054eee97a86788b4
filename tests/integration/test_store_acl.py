"""The relay as the user of the store that docs/store.md describes, and not a command more."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.conftest import MakeRelay, MakeStore
from tests.harness.relay_config import DOMAIN, calendar
from tests.harness.relay_process import ROOT, RelayProcess
from tests.harness.store import PASSWORD, StoreServer, valkey_binary
from tests.harness.web_process import WebProcess
from tests.harness.wire import Wire, mail

PAGE = (ROOT / "docs" / "store.md").read_text(encoding="utf-8")
STORE = ROOT / "relay" / "store"
SENDER = f"news@{DOMAIN}"
COUNTED: dict[str, dict[str, Any]] = {
    "whole": {},
    "split": {"recipients": "split"},
    "rolling": {"window": {"kind": "rolling-24h"}},
}


def told_rules() -> list[str]:
    """The words behind `ACL SETUSER relay`, with the password of the harness."""
    found = re.search(r"```text\nACL SETUSER relay ([^`]+)```", PAGE)
    assert found
    return found[1].replace("PASSWORD", PASSWORD).split()


def told_commands() -> set[str]:
    """Every command that the page names, for whatever topology."""
    extras = re.findall(
        r"\+([a-z|]+)", " ".join(re.findall(r"^\| .*`(\+.+)` \|$", PAGE, re.MULTILINE))
    )
    rules = [rule.removeprefix("+") for rule in told_rules() if rule.startswith("+")]
    return {name.partition("|")[0] for name in (*rules, *extras)}


def spelled(path: Path) -> set[str]:
    """Words in capitals and quotes: commands, and options of commands."""
    comment = "--" if path.suffix == ".lua" else "#"
    lines = [line.partition(comment)[0] for line in path.read_text(encoding="utf-8").splitlines()]
    return {word.lower() for line in lines for word in re.findall(r"['\"]([A-Z]{3,})['\"]", line)}


@pytest.fixture
def store(make_store: MakeStore) -> StoreServer:
    store = make_store(binary=valkey_binary())
    with store.client() as client:
        client.execute_command("ACL", "SETUSER", "relay", "reset", *told_rules())
    return store


def test_the_page_names_the_commands_that_the_store_s_code_spells(store: StoreServer) -> None:
    with store.client() as client:
        known = {name.lower() for name in client.command()}
    files = [*STORE.rglob("*.py"), *STORE.rglob("*.lua")]
    used = {word for path in files for word in spelled(path)} & {*known, "sentinel"}

    assert len(used) > 30
    assert told_commands() == used


def denied(client: redis.Redis) -> list[str]:
    """What the server has refused the relay's user, in scripts too."""
    return [
        f"{entry['reason']}: {entry['object']} ({entry['context']})"
        for entry in client.acl_log()
        if entry["username"] == "relay"
    ]


def send(relay: RelayProcess, sender: str, *recipients: str) -> bool:
    with Wire(relay.port) as wire:
        return all(wire.send(sender, each, mail(sender)).code == 250 for each in recipients)


def as_an_operator(relay: RelayProcess) -> None:
    """Everything that the command line changes and reads."""
    past = relay.home / "past.csv"
    past.write_text("date,sends\n2026-01-01,5\n")
    state = str(relay.home / "state.jsonl")
    for words in (
        ("pause", DOMAIN), ("resume", DOMAIN), ("graduate", DOMAIN), ("restart", DOMAIN),
        ("explain", DOMAIN, "a@gmail.com"), ("import-history", DOMAIN, str(past)),
        ("backup", state), ("restore", "--replace", state),
    ):  # fmt: skip
        ran = relay.cli(*words)
        assert "Traceback" not in ran.err, (words, ran.err)
        assert "does not answer" not in ran.err, (words, ran.err)


def over_http(relay: RelayProcess) -> None:
    """A token is made, looked up and counted; an answer is kept by its key; metrics are read."""
    web = WebProcess(relay)
    try:
        web.start().token = web.make_token("read", "send", "manage")
        email = {"from": SENDER, "to": ["a@b.example"], "subject": "x", "text": "x"}
        for _ in range(2):
            answer = web.post("/api/emails", email, idempotency_key="one")
            assert answer.status < 300, answer
        assert web.get("/api/warmup").status == 200
        assert web.get("/metrics").status == 200
    finally:
        web.end()


@pytest.mark.slow
@pytest.mark.timeout(400)  # a dozen commands, each a process of its own
def test_a_relay_does_all_it_does_as_that_user(make_relay: MakeRelay, store: StoreServer) -> None:
    url = store.url.replace("redis://:", "redis://relay:")
    policies = {name: calendar(40, **more) for name, more in COUNTED.items()}
    domains = {DOMAIN: "whole", "split.example": "split", "rolling.example": "rolling"}
    relay = make_relay(store=url, policies=policies, domains=domains).start()

    for domain in domains:
        assert send(relay, f"news@{domain}", "a@gmail.com", "b@b.example", "b@b.example")
    as_an_operator(relay)
    over_http(relay)
    relay.end()

    with store.client() as client:
        assert denied(client) == []
        assert client.dbsize() > len(domains)
