"""`backup` and `restore` with the real command: while mail flows, into a fresh relay."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import typer

from relay.cli.state import restore
from tests.conftest import MakeRelay, MakeStore
from tests.harness.load import storm
from tests.harness.relay_config import DOMAIN, calendar
from tests.harness.relay_process import COMMAND, RelayProcess
from tests.harness.upstream import SinkThread
from tests.harness.waiting import until
from tests.harness.wire import Wire, mail

SENDER = f"news@{DOMAIN}"
CAP = 600
HEAD = {"format": "warmup-relay state 1", "taken_at": "2026-03-01T00:00:00Z"}
WRONG = {"key": "wr1:{a}:route:b", "kind": "hash", "value": {"a": "1"}, "ttl_ms": -1}


def done(relay: RelayProcess, *words: str) -> str:
    ran = relay.cli(*words)
    assert ran.exit == 0, ran
    return ran.err


def command(relay: RelayProcess, *words: str) -> list[str]:
    return [*map(str, COMMAND), *words, "--config", str(relay.config_path)]


MEASURED = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=sys.stderr)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


def peak_mb(relay: RelayProcess, *words: str) -> float:
    """The most memory that the command takes.

    Started by a small process: what a process held when it started another one is counted as
    the other one's, and this one may hold more than the command.
    """
    measured = [sys.executable, "-S", "-c", MEASURED, *command(relay, *words)]
    ran = subprocess.run(measured, capture_output=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr.decode()
    return int(ran.stdout) / 1024


def statuses(relay: RelayProcess) -> list[dict[str, Any]]:
    return relay.cli("status", "--json").json


@pytest.mark.slow
def test_a_fresh_relay_stands_where_the_old_one_stood(
    make_relay: MakeRelay, make_store: MakeStore
) -> None:
    """Counters, days, a pause with its reason and a graduation, from one kind of store to another."""
    domains = {DOMAIN: "ramp", "paused.example": "ramp", "done.example": "ramp"}
    words = {"policies": {"ramp": calendar(5, 9)}, "domains": domains}
    old = make_relay("old", **words).start()
    with Wire(old.port) as wire:
        for _ in range(3):
            assert wire.send(SENDER, "r@example.org", mail(SENDER)).code == 250
    old.clock.move(days=1)
    with Wire(old.port) as wire:
        for _ in range(2):
            assert wire.send(SENDER, "r@example.org", mail(SENDER)).code == 250
    done(old, "pause", "paused.example", "--reason", "list check")
    done(old, "graduate", "done.example", "--yes")
    before = statuses(old)
    file = old.home / "state.jsonl"
    assert "keys written" in done(old, "backup", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    assert old.sigterm() == 0

    new = make_relay("new", clock=old.clock, store=make_store().url, **words)
    assert "keys restored, as of " in done(new, "restore", str(file))
    new.start()
    assert statuses(new) == before
    assert [one["state"] for one in before] == ["warming", "paused", "warmed"]
    ran = new.cli("restore", str(file))
    assert ran.exit == 1
    assert "holds quota state already" in ran.err
    done(new, "import", str(file), "--replace")
    assert statuses(new) == before


def test_a_backup_under_load_never_lets_more_through_than_the_cap(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    words = {"upstream": sink.url, "policies": {"ramp": calendar(CAP)}}
    old, stop, file = make_relay("old", **words).start(), Event(), Path("state.jsonl")
    with ThreadPoolExecutor(1) as pool:
        storming = pool.submit(storm, [old.port], SENDER, clients=8, each=100_000, stop=stop)
        until(lambda: len(sink.contents()) >= 40, "some mail", timeout_s=20)
        taken_before = len(sink.contents())
        done(old, "backup", str(file))
        taken_after = len(sink.contents())
        stop.set()
        storming.result(timeout=30)
    assert taken_after > taken_before, "the backup was not taken under load"

    new = make_relay("new", clock=old.clock, **words)
    done(new, "restore", str(old.home / file))
    new.start()
    held = new.status()
    charged = CAP - held["remaining_today"]
    assert held["lifetime_sends"] + held["reserved_now"] == charged
    assert taken_before <= charged <= taken_after + 8
    here = len(sink.contents())
    told = storm([new.port], SENDER, clients=4, each=200)
    assert told.replies["250 2.0.0"] == len(sink.contents()) - here == CAP - charged


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (['{"format": "something else"}'], "bad.jsonl:1: not a backup of this version"),
        ([json.dumps(HEAD | {"format": "warmup-relay state 2"})], "not 'warmup-relay state 2'"),
        ([], "bad.jsonl:1: not a backup"),
        ([json.dumps(HEAD), "{"], "bad.jsonl:2: "),
        ([json.dumps(HEAD), '{"key": "wr1:{a}:route:b", "kind": "hash"}'], "bad.jsonl:2: 'value'"),
        ([json.dumps(HEAD)], "bad.jsonl:1: its end is missing"),
        ([json.dumps(HEAD), '{"end": 1}'], "bad.jsonl:2: 0 keys, but there were 1"),
        ([json.dumps(HEAD), '{"end": 0}', '{"end": 0}'], "bad.jsonl:2: there is more after"),
        ([json.dumps(HEAD), "[" * 100_000], "bad.jsonl:2: "),
        ([json.dumps(HEAD), json.dumps(WRONG | {"ttl_ms": True})], "bad.jsonl:2: ttl_ms"),
        ([json.dumps(HEAD), json.dumps(WRONG | {"value": {"a": "\ud800"}})], "bad.jsonl:2: "),
        (["\x1f\udc8b"], "bad.jsonl is not a backup: it is not UTF-8 text"),
    ],
)
def test_what_is_no_whole_backup_changes_nothing(
    make_relay: MakeRelay, capsys: pytest.CaptureFixture[str], lines: list[str], says: str
) -> None:
    relay = make_relay()
    bad = relay.home / "bad.jsonl"
    bad.write_text("\n".join(lines), errors="surrogateescape")
    with pytest.raises(typer.Exit) as ended:
        restore(bad, relay.config_path, replace=False)  # the command, without a second to start
    assert ended.value.exit_code == 1
    said = capsys.readouterr().err
    assert says in said
    assert "nothing was changed" in said


@pytest.mark.slow
def test_a_large_backup_takes_no_more_memory_than_a_small_one(make_relay: MakeRelay) -> None:
    """Restored from a file and from a pipe, and the same when it is backed up again."""
    relay = make_relay().start()
    peaks = []
    for domains in (10, 20_000):
        records = [
            {"key": f"wr1:{{d{n:06}.example}}:route:outbound", "kind": "hash",
             "value": {"lifetime": str(n), "reason": "x" * 300}, "ttl_ms": -1}
            for n in range(domains)
        ]  # fmt: skip
        file = relay.home / f"{domains}.jsonl"
        file.write_text("\n".join(map(json.dumps, [HEAD, *records, {"end": domains}])))
        peaks.append(peak_mb(relay, "restore", "--replace", str(file)))
    assert peaks[1] < peaks[0] + 8, "the larger has 9 MB of text, and took 40 MB"
    done(relay, "backup", str(relay.home / "again.jsonl"))
    [head, *again, _] = map(json.loads, (relay.home / "again.jsonl").read_text().splitlines())
    assert {each["key"]: each for each in again} == {each["key"]: each for each in records}
    assert head["format"] == HEAD["format"]
    piped = [
        "sh",
        "-c",
        'cat "$0" | "$@"',
        str(file),
        *command(relay, "restore", "--replace", "-"),
    ]
    ran = subprocess.run(piped, capture_output=True, timeout=300, check=False)
    assert b"20000 keys restored" in ran.stderr, ran


def test_a_store_in_another_layout_is_refused_by_every_command(
    make_relay: MakeRelay, make_store: MakeStore
) -> None:
    store = make_store()
    relay = make_relay(store=store.url)
    file = relay.home / "state.jsonl"
    done(relay, "backup", str(file))
    whole = file.read_text()
    with store.client() as client:
        client.set("wr1:layout", "2")
        for words in (("backup", str(file)), ("restore", str(file)), ("status",)):
            ran = relay.cli(*words)
            assert ran.exit == 1, ran
            assert "the store holds data in layout 2" in ran.err
        assert client.keys("*") in (["wr1:layout"], [b"wr1:layout"])
    assert file.read_text() == whole, "a backup that failed left the one before as it was"
    assert not list(relay.home.glob(".backup-*"))
