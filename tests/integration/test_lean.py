"""What an idle relay holds in memory: the goal of 70 MB, and whose libraries are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MakeRelay
from tests.harness.relay_config import DOMAIN
from tests.harness.wire import Wire, mail
from tests.harness.workers import workers

RESIDENT_MB = 70
NOT_THERE = ("pydantic_core", "/yaml/", "typer", "argon2")


def check(pid: int) -> None:
    status = Path(f"/proc/{pid}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    mapped = Path(f"/proc/{pid}/maps").read_text()
    assert int(resident.split()[1]) <= RESIDENT_MB * 1024, resident
    assert "hiredis" in mapped
    assert [name for name in NOT_THERE if name in mapped] == []


def test_a_relay_is_the_process_that_was_started_and_stays_small(make_relay: MakeRelay) -> None:
    relay = make_relay().start()

    check(relay.child.pid)
    with Wire(relay.port) as wire:
        assert wire.send(f"a@{DOMAIN}", "r@example.org", mail(f"a@{DOMAIN}")).code == 250
    relay.hang_up()
    check(relay.child.pid)


@pytest.mark.slow
def test_so_does_each_worker(make_relay: MakeRelay) -> None:
    relay = make_relay()
    relay.options = ("--workers", "2")
    relay.start()

    found = workers(relay)
    assert sorted(found) == ["worker 1", "worker 2"]
    for pid in found.values():
        check(pid)
