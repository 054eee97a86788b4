"""The disk of the relay is full: its store, its log, its maildir and its counts are on it.

451 and nothing else, nothing lost, nothing over the cap, no quota spent on what was not sent,
and mail again as soon as there is room.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from relay.core.errors import StoreTrouble
from relay.store.embedded.server_process import find_binary
from tests.conftest import MakeRelay
from tests.faults.store_given import pid_of_server, recovers_within
from tests.faults.store_troubles import SENDER, Crowd
from tests.faults.test_store_embedded import embedded_world, running
from tests.harness.relay_config import calendar
from tests.harness.relay_process import RelayProcess
from tests.harness.small_disk import NEEDS, SmallDisk, can_mount
from tests.harness.waiting import until
from tests.harness.wire import Wire, mail
from tests.harness.workers import kill_worker, workers

CAP = 400
SECONDS_FULL = 1.5
MANY = [f"d{number}-{'x' * 50}.acme.example" for number in range(400)]

full_disk = pytest.mark.skipif(not can_mount(), reason=NEEDS)


@pytest.fixture
def disk(tmp_path: Path, endings: ExitStack) -> SmallDisk:
    made = SmallDisk(tmp_path / "relay")
    endings.callback(made.end)
    return made


def served(make_relay: MakeRelay, count: int, cap: int = CAP, **config: object) -> RelayProcess:
    relay = make_relay(policies={"ramp": calendar(cap)}, **config)
    relay.options = ("--workers", str(count)) if count > 1 else ()
    return relay.start()


def while_full(disk: SmallDisk, leave_bytes: int) -> tuple[float, float]:
    """Keep it full, whatever the relay frees or writes: from when, until when (monotonic, s)."""
    disk.fill(leave_bytes)
    began = time.monotonic()
    while time.monotonic() < began + SECONDS_FULL:
        disk.fill(leave_bytes)
        time.sleep(0.05)
    return began, time.monotonic()


@full_disk
@pytest.mark.parametrize("count", [1, 2], ids=["one process", "two workers"])
def test_it_defers_charges_nothing_and_comes_back(
    disk: SmallDisk, make_relay: MakeRelay, count: int
) -> None:
    relay = served(make_relay, count)
    with Crowd(relay.port) as crowd:
        until(lambda: len(crowd.after(0, "250")) > 20, "mail to go", detail=relay.log_tail)
        for leave_bytes in (4_000_000, 60_000, 0):
            began, over = while_full(disk, leave_bytes)
            heard = [h for h in crowd.after(began) if h.at_s + h.took_s < over]
            assert len(heard) > 10, relay.log_tail()
            assert {h.reply for h in heard} <= {"451 4.3.0", "451 4.4.1"}, heard
            assert relay.http("/healthz").status == 200
            assert relay.http("/readyz").status == 503
        assert len(crowd.after(0, "250")) < CAP, "else it says nothing of what is charged"
        disk.empty()
        freed = time.monotonic()
        until(lambda: crowd.after(freed, "250"), "mail to go again", timeout_s=5)
        until(lambda: crowd.after(freed, "451 4.7.1"), "the cap", timeout_s=40)
    assert crowd.lost == []
    stored = len(list((relay.home / "outbound" / "new").iterdir()))
    status = relay.status()
    assert len([h for h in crowd.heard if h.reply.startswith("250")]) == stored == CAP
    assert (status["emails_sent_today"], status["reserved_now"]) == (CAP, 0)
    assert list((relay.home / "outbound" / "tmp").iterdir()) == []


def answers(relay: RelayProcess, domains: list[str]) -> set[str]:
    """One message from each domain, each on a connection of its own."""
    heard = set()
    for domain in domains:
        with Wire(relay.port) as wire:
            reply = wire.send(f"a@{domain}", "r@example.org", mail(f"a@{domain}"))
        heard.add(f"{reply.code} {reply.enhanced}")
    return heard


@full_disk
def test_workers_live_on_though_their_counts_have_no_room(
    disk: SmallDisk, make_relay: MakeRelay
) -> None:
    """Their counts are in files that they map: touching a page without room is SIGBUS."""
    relay = served(make_relay, 2, domains=dict.fromkeys(MANY, "ramp"))
    assert answers(relay, MANY[:3]) == {"250 2.0.0"}
    before = workers(relay)
    disk.fill()
    assert answers(relay, MANY) == {"451 4.3.0"}
    assert workers(relay) == before, relay.log_tail()
    kill_worker(relay, "worker 1")  # one that starts while there is no room at all
    until(
        lambda: (now := workers(relay)) != before and len(now) == 2,
        "a new worker", timeout_s=15, detail=relay.log_tail,
    )  # fmt: skip
    assert answers(relay, MANY[:5]) == {"451 4.3.0"}
    disk.empty()
    until(lambda: answers(relay, MANY[:5]) == {"250 2.0.0"}, "mail to go again", timeout_s=10)
    time.sleep(1.1)  # what waited in memory is put down with the next count
    assert answers(relay, MANY) == {"250 2.0.0"}
    refused = relay.metric("relay_messages_total", outcome="failed")
    assert refused >= len(MANY), "what was counted meanwhile is told"
    assert relay.metric("relay_messages_total", outcome="forwarded") >= len(MANY) + 8


@full_disk
def test_a_start_on_a_full_disk_says_so_and_a_later_one_works(
    disk: SmallDisk, make_relay: MakeRelay
) -> None:
    relay = served(make_relay, 1)
    assert relay.sigterm() == 0
    log = relay.home / "relay.log"
    log.unlink()
    log.symlink_to(relay.home.parent / "elsewhere.log")  # so that it can be read what it says
    disk.fill()
    assert relay.launch().wait(30) == 1
    assert "No space left on device" in relay.log_tail()
    assert "Traceback" not in relay.log_tail()
    disk.empty()
    relay.restart()
    with Wire(relay.port) as wire:
        assert wire.send(SENDER, "r@example.org", mail(SENDER)).code == 250


# -- a file that may not grow, though there is room: a quota, a bad disk (no root needed) ---------


@pytest.fixture
def cramp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int | None], None]:
    """The embedded server's files may grow by so much; its writes fail then, it lives on."""
    program = tmp_path / "server"
    program.write_text(f'#!/bin/sh\ntrap "" XFSZ\nexec "{find_binary()}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setattr("relay.store.embedded.store.find_binary", lambda: program)

    def allow(pid: int, more_bytes: int | None) -> None:
        largest = resource.RLIM_INFINITY
        if more_bytes is not None:
            files = tmp_path.glob("var/store/appendonlydir/*.incr.aof")
            largest = max(file.stat().st_size for file in files) + more_bytes
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))

    return allow


async def test_a_charge_that_could_not_be_written_is_not_granted_and_is_given_back(
    tmp_path: Path, cramp: Callable[[int, int | None], None]
) -> None:
    async with embedded_world(tmp_path / "var") as world, running(world):
        await world.send(5)
        cramp(await pid_of_server(world), 100)
        for _ in range(5):
            with pytest.raises(StoreTrouble):
                await world.granted(1)
        assert not await world.store.ping()
        cramp(await pid_of_server(world), None)
        await recovers_within(world, 5.0)
        assert await world.store.ping()
        # The one whose write failed is given back as soon as it can be; none of the others counts.
        assert (await world.standing()).charged <= 7


async def test_a_server_killed_before_it_could_write_has_lost_nothing_that_was_granted(
    tmp_path: Path, cramp: Callable[[int, int | None], None]
) -> None:
    async with embedded_world(tmp_path / "var") as world, running(world):
        granted = 0
        for more_bytes in (100, 400, 900, 1600):
            pid = await pid_of_server(world)
            cramp(pid, more_bytes)
            for _ in range(8):
                try:
                    await world.granted(1)
                except StoreTrouble:
                    break
                granted += 1
            os.kill(pid, signal.SIGKILL)
            await recovers_within(world, 8.0)
            granted += 1
            assert (await world.standing()).charged >= granted
        assert granted > 4
