"""Secrets stay where they belong: not in logs, errors, command output, process lists or cores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.attacks.conftest import SENDER, Besiege, Besieged
from tests.harness.certs import Authority
from tests.harness.relay_config import DOMAIN, RelayConfig
from tests.harness.relay_process import RelayProcess, run_command
from tests.harness.smtp_script import refuse
from tests.harness.smtp_sink import Offers
from tests.harness.wire import mail

PASSWORD = "hunter2-of-the-upstream"
GUESS = "hunter2-of-a-client"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def besieged(besiege: Besiege) -> Besieged:
    started = besiege(more={"log": {"level": "debug", "format": "json", "addresses": True}})
    started.sink.sink.offers = Offers(auth=("PLAIN", "LOGIN"))
    started.sink.sink.users = {"me": PASSWORD}
    config = started.relay.config
    login = {"url": started.sink.url, "username": "me", "password": PASSWORD}
    config.more["upstreams"] = {"outbound": login}
    config.write(started.relay.home)
    started.relay.sigterm()
    started.relay.restart()
    return started


def test_nothing_that_is_said_or_shown_holds_a_secret(besieged: Besieged) -> None:
    relay = besieged.relay
    besieged.sink.script.add("AUTH", refuse("535 5.7.8 no").once())
    for token in (GUESS, besieged.acme.token):
        with besieged.wire() as wire:
            wire.auth_plain("acme", token)
            wire.send(SENDER, "v@receiver.example", mail(SENDER))
    (relay.home / "relay.yaml").write_text(
        (relay.home / "relay.yaml").read_text() + "nonsense: 1\n"
    )
    relay.hang_up()
    shown = [
        relay.cli(*command)
        for command in (
            ("status", "--json"), ("explain", DOMAIN, "--json"), ("check", "--json"), ("check",)
        )
    ]  # fmt: skip
    config = relay.config.write(relay.home)
    shown += [run_command(*c, "--config", config) for c in (("explain", DOMAIN), ("status",))]
    text = "".join(ran.out + ran.err for ran in shown) + besieged.log()
    text += relay.http("/metrics").body + relay.http("/readyz").body
    for secret in (
        PASSWORD,
        GUESS,
        besieged.acme.token,
        besieged.acme.secret,
        besieged.rival.secret,
    ):
        assert secret not in text
    assert DOMAIN in text


def test_no_process_is_started_with_a_secret(besieged: Besieged) -> None:
    group = [
        entry
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and besieged.relay.child.pid in (int(entry.name), _parent(entry))
    ]
    assert len(group) >= 2, "the relay and its store"
    for entry in group:
        said = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        assert PASSWORD.encode() not in said
        assert besieged.acme.secret.encode() not in said


def _parent(entry: Path) -> int:
    """0 for a process that has ended meanwhile (proc(5): the field behind the state)."""
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def test_a_crash_leaves_no_core(besieged: Besieged) -> None:
    limits = Path(f"/proc/{besieged.relay.child.pid}/limits").read_text()
    [line] = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert line.split()[4] == "0"


def test_the_flag_that_keeps_cores_from_programs_is_set() -> None:
    code = (
        "import ctypes; from relay.processes.secrecy import keep_memory_private as keep;"
        "get = lambda: ctypes.CDLL(None).prctl(3, 0, 0, 0, 0); before = get(); keep();"
        "print(before, get())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout.split() == ["1", "0"]


def test_a_password_that_everybody_can_read_keeps_the_relay_from_starting(tmp_path: Path) -> None:
    upstream = {"url": "smtp+starttls://127.0.0.1:9", "username": "me", "password": PASSWORD}
    path = RelayConfig(upstream=upstream).write(tmp_path)
    path.chmod(0o644)
    for command in ("serve", "check"):
        ran = run_command(command, "--config", path, cwd=tmp_path)
        assert ran.exit == 1
        assert "a password stands in a file that everybody can read (0644)" in ran.out + ran.err
        assert PASSWORD not in ran.out + ran.err
    path.chmod(0o640)
    checked = run_command("check", "--offline", "--json", "--config", path, cwd=tmp_path).out
    assert "a password stands in a file" not in checked


def test_a_listeners_key_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    files = Authority(tmp_path / "certs").issue("relay")
    listener = {"certificate": str(files.certificate), "key": str(files.key)}
    relay = RelayProcess(tmp_path, RelayConfig(listeners=[{"tls": "starttls", **listener}]))
    files.key.chmod(0o644)
    told = f"{files.key} can be read or written by everybody (0644): chmod 0600"
    try:
        assert relay.launch().wait(20) == 1
        assert told in relay.log_tail()
        found = json.loads(relay.cli("check", "--offline", "--json").out)
        assert any(told in row["says"] for row in found["checks"])
        files.key.chmod(0o640)
        relay.start()
    finally:
        relay.end()


@pytest.mark.parametrize(
    "header", [b"PROXY TCP4 127.0.0.1 127.0.0.1 1 25\r\n", b"PROXY UNKNOWN\r\n"]
)
def test_a_proxy_header_from_a_stranger_gives_nobodys_rights(
    besiege: Besiege, header: bytes
) -> None:
    """The stranger says that it is 127.0.0.1, which may send; only 127.0.0.8 may say so."""
    made = besiege(listeners=[{"tls": "none", "proxy_from": ["127.0.0.8/32"]}])
    with made.wire(source="127.0.0.9", preamble=header, greet=False) as wire:
        assert wire.read().code == 220
        assert wire.read().code == 500
        wire.ehlo()
        assert wire.do(f"MAIL FROM:<{SENDER}>").code == 530
    with made.wire(source="127.0.0.8", preamble=header) as wire:
        code = wire.do(f"MAIL FROM:<{SENDER}>").code
        assert code == (250 if b"TCP4" in header else 530)
