"""Secrets stay where they belong in every process of a relay: supervisor, workers, web, store.

Everything is told at debug level, everything goes wrong once, and then all that the relay wrote,
showed and started is searched.
"""

from __future__ import annotations

import ctypes
import http.client
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.attacks.conftest import SENDER, new_token
from tests.harness.processes import Child
from tests.harness.relay_config import DOMAIN, RelayConfig, calendar
from tests.harness.relay_process import COMMAND, ROOT, RelayProcess
from tests.harness.smtp_script import refuse
from tests.harness.smtp_sink import Offers
from tests.harness.upstream import SinkThread
from tests.harness.waiting import until
from tests.harness.web_process import WebProcess
from tests.harness.wire import Wire, mail
from tests.harness.workers import children

PASSWORD = "upstream-hunter2-9f3c"
USERS = "users-hunter2-correct-horse-41d7"
GUESS = "somebodys-hunter2-guess-77aa"
BEARER = "wrt_hunter2bearerthatisnone"
VARIABLE = "SMTP_PASSWORD_OF_A_TEST"
AUTHED = "2.7.0"


@dataclass(slots=True)
class House:
    """A relay of two workers with API and pages, and all secrets that went into it."""

    relay: RelayProcess
    sink: SinkThread
    web: WebProcess
    secrets: list[str]

    def processes(self) -> dict[int, str]:
        """Process id → command line, of the relay and all that descends from it."""
        found, todo = {}, [self.relay.child.pid]
        while todo:
            pid = todo.pop()
            with suppress(OSError):
                found[pid] = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
                todo += children(pid)
        return found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with ExitStack() as endings, pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, PASSWORD)
        sink = SinkThread()
        endings.callback(sink.end)
        sink.sink.offers = Offers(auth=("PLAIN", "LOGIN"))
        sink.sink.users = {"me": PASSWORD}
        acme = new_token()
        route = {"routes": [{"upstream": "outbound", "policy": "ramp"}]}
        credential = {"username": "acme", "secret": acme.secret}
        config = RelayConfig(
            upstream={"url": sink.url, "username": "me", "password": f"${{{VARIABLE}}}"},
            policies={"ramp": calendar(50)},
            listeners=[{"tls": "none", "plaintext_auth": "loopback"}],
            api=True,
            more={
                "log": {"level": "debug", "format": "json", "addresses": True},
                "tenants": {"acme": {"credentials": [credential], "domains": {DOMAIN: route}}},
            },
        )
        relay = RelayProcess(tmp_path_factory.mktemp("house"), config)
        relay.options = ("--workers", "2")
        endings.callback(relay.end)
        relay.start()
        web = WebProcess(relay, port=config.web_port)
        web.token = web.make_token("read", "send", "manage")
        yield House(relay, sink, web, [PASSWORD, USERS, GUESS, BEARER, acme.token, web.token])


def sign_in(web: WebProcess, password: str) -> tuple[int, str]:
    """What the form answers, and the session's cookie."""
    shown = web.get("/dashboard/sign-in", token="")
    form = re.search(r"wr_form=([^;]+)", shown.headers["set-cookie"])
    assert form
    fields = urlencode({"form": form[1], "name": "anna", "password": password, "next": ""})
    headers = {
        "Cookie": f"wr_form={form[1]}", "Content-Type": "application/x-www-form-urlencoded",
    }  # fmt: skip
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=20)
    connection.request("POST", "/dashboard/sign-in", fields, headers)
    answer = connection.getresponse()
    session = re.search(r"wr_session=([^;]+)", str(answer.headers))
    connection.close()
    return answer.status, session[1] if session else ""


def add_user(relay: RelayProcess) -> str:
    done = subprocess.run(
        [*COMMAND, "user", "add", "anna", "--tenant", "acme", "--config", relay.config_path],
        input=USERS + "\n", capture_output=True, text=True, check=True, timeout=60,
        cwd=relay.home, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return done.stdout + done.stderr


def smtp(house: House) -> None:
    """A wrong login, a right one, a refused login at the upstream, and a message."""
    token = house.secrets[4]
    house.sink.sink.script.add("AUTH", refuse("535 5.7.8 no").once())
    with Wire(house.relay.port) as wire:
        assert wire.auth_plain("acme", GUESS).code == 535
        assert wire.auth_plain("acme", token).enhanced == AUTHED
        for wanted in ({250, 451}, {250}):  # a pooled connection has logged in before
            assert wire.send(SENDER, "v@receiver.example", mail(SENDER)).code in wanted


def http_calls(house: House) -> str:
    """Right and wrong tokens, bodies that are no JSON, a secret in every place but the right one."""
    web, told = house.web, ""
    email = {"from": SENDER, "to": "v@receiver.example", "subject": "s", "text": "t"}
    for token in (web.token, BEARER):
        told += web.post("/api/emails", email, token=token).body.decode()
        told += web.post("/api/emails", b"{", token=token).body.decode()
        told += web.get("/api/audit", token=token).body.decode()
    told += web.get("/api/warmup", token="", authorization=f"Basic {GUESS}").body.decode()
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=10)
    connection.putrequest("POST", "/api/emails", skip_host=True)
    connection.putheader("Authorization", f"Bearer {web.token}")
    connection.putheader("Content-Length", "nonsense")
    connection.endheaders()
    told += connection.getresponse().read().decode()
    connection.close()
    return told


def the_only(house: House, wanted: str) -> int:
    """The process that says `wanted`; 0 while one that it has begun still shows its words."""
    found = [pid for pid, line in house.processes().items() if wanted in line]
    return found[0] if len(found) == 1 else 0


def break_things(house: House) -> None:
    """A reload that is refused; a worker, the web process and the store killed."""
    relay = house.relay
    text = relay.config_path.read_text()
    relay.config_path.write_text(f"{text}nonsense: 1\n")
    relay.hang_up()
    for wanted in (" worker 1", " front ", "server.sock"):
        pid = until(lambda said=wanted: the_only(house, said), "one process of its kind")
        os.kill(pid, signal.SIGKILL)
        until(lambda gone=pid: gone not in house.processes(), "it to be gone")
    until(lambda: relay.http("/readyz").status == 200, "all to be back", timeout_s=20)
    until(lambda: house.web.get("/api/warmup").status == 200, "the API", timeout_s=20)
    relay.config_path.write_text(text)
    relay.hang_up()


@pytest.mark.timeout(240)
def test_nothing_that_any_process_says_writes_or_shows_holds_a_secret(house: House) -> None:
    relay = house.relay
    shown = add_user(relay)
    smtp(house)
    shown += http_calls(house)
    status, session = sign_in(house.web, USERS)
    assert (status, bool(session)) == (303, True)
    assert sign_in(house.web, GUESS)[0] == 401
    cookie = f"wr_session={session}"
    for page in ("/dashboard/warmup", f"/dashboard/warmup/{DOMAIN}@outbound", "/dashboard/nothing"):
        shown += house.web.get(page, token="", cookie=cookie).body.decode()
    break_things(house)
    smtp(house)
    backup = relay.home / "backup.jsonl"
    for command in (
        ["explain", DOMAIN, "--json"], ["check", "--json"], ["token", "list", "--json"],
        ["user", "list"], ["backup", str(backup)],
    ):  # fmt: skip
        ran = relay.cli(*command)
        shown += ran.out + ran.err
    for path in ("/metrics", "/readyz", "/healthz"):
        shown += relay.http(path).body
    files = [file for file in relay.home.rglob("*") if file.is_file()]
    assert backup in files
    assert any(file.suffix == ".aof" for file in files)
    written = {file: file.read_bytes().decode(errors="replace") for file in files}
    assert '"level": "debug"' in written[relay.home / "relay.log"]
    for secret in (*house.secrets, session):
        assert secret not in shown
        assert [file for file, text in written.items() if secret in text] == []


def test_no_file_that_the_relay_made_can_be_read_by_others(house: House) -> None:
    assert house.relay.cli("backup", "saved.jsonl").exit == 0
    private = [house.relay.home / "saved.jsonl", *(house.relay.home / "var").rglob("*.aof")]
    assert len(private) >= 2
    for file in private:
        folder = house.relay.home / "var" / "store"
        is_inside = folder in file.parents
        mode = (folder if is_inside else file).stat().st_mode & 0o777
        assert not mode & 0o077, f"{file}: {mode:o}"


def test_no_process_list_shows_a_secret_and_the_store_does_not_inherit_one(house: House) -> None:
    found = house.processes()
    assert len(found) >= 7, "supervisor, two workers, web, store, its watcher and what syncs it"
    for pid, line in found.items():
        assert not [secret for secret in house.secrets if secret in line]
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        if "server.sock" in line or "watcher" in line or "relay.syncing" in line:
            assert PASSWORD.encode() not in environment
            assert VARIABLE.encode() not in environment


def check_keeps_no_core(pid: int) -> None:
    """The limit, and what a core that is piped to a program would hold: nothing (core(5))."""
    limits = Path(f"/proc/{pid}/limits").read_text()
    [line] = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert line.split()[4] == "0", pid
    assert int(Path(f"/proc/{pid}/coredump_filter").read_text(), 16) == 0, pid


def test_no_process_leaves_a_core(house: House) -> None:
    for pid in house.processes():
        check_keeps_no_core(pid)


def test_a_web_process_of_its_own_leaves_no_core_either(house: House) -> None:
    web = WebProcess(house.relay)
    try:
        check_keeps_no_core(web.start().child.pid)
    finally:
        web.end()


DUMPABLE = """
import ctypes, sys, threading
role, sys.argv = sys.argv[1], ["warmup-relay", *sys.argv[1:]]
from relay import cli
from relay.serving import __main__ as serving
try:
    serving.serve(sys.argv[-1], "") if role == "serve" else cli.main()
finally:
    print("DUMPABLE", ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), flush=True)
"""
"""PR_GET_DUMPABLE of a process that was told a command, at its end; of the one `serve` becomes."""


@pytest.mark.parametrize("command", ["serve", "web", "status", "check"])
def test_no_command_can_be_traced_by_its_own_user(tmp_path: Path, command: str) -> None:
    assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 1, "else this shows nothing"
    nowhere = tmp_path / "none.yaml"
    child = Child(
        [sys.executable, "-c", DUMPABLE, command, "--config", nowhere],
        tmp_path / "log",
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
    )
    child.wait(30)
    assert "DUMPABLE 0" in child.log.read_text()
