"""The embedded store's files as a crash, a power cut, a bad disk or a bad copy leave them.

It starts where nothing is forgotten that mail was sent for, and says what it dropped. Else it
refuses, and says what to do.
"""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import pytest
import redis

from relay.core.config import StoreConfig
from relay.store import StoreUnusable, open_store
from relay.store.ownership import Home, attach
from tests.conftest import MakeRelay
from tests.contract.world import HandClock
from tests.faults.test_store_embedded import embedded_world
from tests.harness.relay_config import DOMAIN, calendar
from tests.harness.relay_process import RelayProcess
from tests.harness.waiting import until
from tests.harness.wire import Wire, mail

HINT = '"The store\'s file is damaged" in docs/operations.md'
SENDER = f"news@{DOMAIN}"


async def filled(data_dir: Path, charges: int = 20):
    """A store that was closed in order; its route."""
    async with embedded_world(data_dir) as world:
        for _ in range(charges):
            await world.granted(1)
        return world.route


async def charged(data_dir: Path, route) -> int:
    async with embedded_world(data_dir) as world:
        world.route = route
        return (await world.standing()).charged


def only(data_dir: Path, pattern: str) -> Path:
    (found,) = Home(data_dir).appended.glob(pattern)
    return found


async def test_zeros_that_a_power_cut_left_at_the_end_are_dropped_and_told_of(tmp_path, caplog):
    route = await filled(tmp_path)
    increment = only(tmp_path, "*.incr.aof")
    increment.write_bytes(increment.read_bytes() + b"\0" * 200_000)
    caplog.set_level(logging.WARNING, "relay.store")
    assert await charged(tmp_path, route) == 20
    assert "200000 bytes were dropped" in caplog.text


async def test_an_end_that_was_half_written_and_then_zeros_loses_that_command_alone(
    tmp_path, caplog
):
    route = await filled(tmp_path)
    increment = only(tmp_path, "*.incr.aof")
    increment.write_bytes(increment.read_bytes()[:-7] + b"\0" * 7)
    caplog.set_level(logging.WARNING, "relay.store")
    assert await charged(tmp_path, route) == 19
    assert "7 bytes were dropped" in caplog.text
    assert caplog.text.count("were dropped") == 2


async def test_the_newest_file_is_the_one_of_the_highest_number(tmp_path):
    """While the server writes its file anew there are two, and both count."""
    route = await filled(tmp_path)
    manifest, first = only(tmp_path, "*.manifest"), only(tmp_path, "*.incr.aof")
    parts = first.read_bytes()
    for number in (9, 10):
        first.with_name(f"appendonly.aof.{number}.incr.aof").write_bytes(b"\0" * 50)
    rows = manifest.read_text()
    for number in (9, 10):
        rows += f"file appendonly.aof.{number}.incr.aof seq {number} type i\n"
    manifest.write_text(rows)
    first.with_name("appendonly.aof.9.incr.aof").write_bytes(b"")
    assert await charged(tmp_path, route) == 20
    assert first.read_bytes() == parts


def zeros_from(held: bytes, at: int) -> bytes:
    """Over the length of a word, not within a long one: there is no sum that would tell that."""
    return held[:at] + b"\0" * 40 + held[at + 40 :]


@pytest.mark.parametrize(
    ("pattern", "damage"),
    [
        ("*.incr.aof", lambda held: held + os.urandom(300) + b"\xff"),  # zeros there are cut off
        ("*.incr.aof", lambda held: zeros_from(held, held.index(b"\r\n$", 4000))),
        ("*.base.rdb", lambda held: held[:-9]),
        ("*.base.rdb", lambda _: None),
        ("*.incr.aof", lambda _: None),
        ("*.manifest", lambda _: None),
        ("*.manifest", lambda _: b""),
        ("*.manifest", lambda held: bytes(len(held))),
    ],
    ids=[
        "garbage at the end", "zeros in the middle", "a base cut short", "no base", "no increment",
        "no manifest", "an empty manifest", "a manifest of zeros",
    ],
)  # fmt: skip
async def test_damage_is_refused_with_what_to_do(tmp_path, pattern, damage):
    await filled(tmp_path)
    file = only(tmp_path, pattern)
    left = damage(file.read_bytes())
    file.unlink() if left is None else file.write_bytes(left)
    before = {each.name: each.read_bytes() for each in file.parent.iterdir()}
    with pytest.raises(StoreUnusable) as refused:
        await open_store(StoreConfig(), tmp_path, HandClock())
    assert HINT in str(refused.value)
    assert {each.name: each.read_bytes() for each in file.parent.iterdir()} == before


async def test_a_base_without_its_manifest_is_refused_when_it_holds_something(tmp_path):
    async with embedded_world(tmp_path) as world:
        await world.granted(1)
        with redis.Redis.from_url(attach(tmp_path)) as raw:
            raw.bgrewriteaof()
            while raw.info("persistence")["aof_rewrite_in_progress"]:
                assert await world.store.ping()
    only(tmp_path, "*.manifest").unlink()
    only(tmp_path, "*.incr.aof").write_bytes(b"")
    with pytest.raises(StoreUnusable, match="the manifest beside it is missing"):
        await open_store(StoreConfig(), tmp_path, HandClock())


async def test_what_a_kill_in_the_first_moments_leaves_is_no_obstacle(tmp_path):
    """The files are made one after the other, the manifest last; nothing is in them."""
    async with embedded_world(tmp_path / "donor") as world:
        assert await world.store.ping()
    appended = Home(tmp_path / "var").appended
    shutil.copytree(Home(tmp_path / "donor").appended, appended)
    next(appended.glob("*.manifest")).unlink()
    next(appended.glob("*.incr.aof")).write_bytes(b"")
    async with embedded_world(tmp_path / "var") as world:
        await world.granted(1)


# -- the same by the real command --------------------------------------------------------------


def sent(relay: RelayProcess) -> int:
    """One message: the code of its reply."""
    with Wire(relay.port) as wire:
        return wire.send(SENDER, "r@example.org", mail(SENDER)).code


def sent_and_stopped(make_relay: MakeRelay, count: int = 3) -> RelayProcess:
    relay = make_relay(policies={"ramp": calendar(10)}).start()
    assert [sent(relay) for _ in range(count)] == [250] * count
    assert relay.sigterm() == 0
    return relay


def test_the_command_does_not_serve_on_a_damaged_store(make_relay: MakeRelay) -> None:
    relay = sent_and_stopped(make_relay)
    only(relay.home / "var", "*.manifest").unlink()
    assert relay.launch().wait(20) == 1
    assert HINT in relay.log_tail()
    ran = relay.cli("status", "--json")
    assert ran.exit == 1
    assert HINT in ran.err


def test_after_a_power_cut_the_command_goes_on_from_where_it_was(make_relay: MakeRelay) -> None:
    relay = sent_and_stopped(make_relay)
    increment = only(relay.home / "var", "*.incr.aof")
    increment.write_bytes(increment.read_bytes() + b"\0" * 5000)
    relay.restart()
    assert relay.status()["emails_sent_today"] == 3
    assert "5000 bytes were dropped" in (relay.home / "relay.log").read_text()


@pytest.mark.parametrize("layout", ["0", "2"])
def test_a_store_of_another_layout_is_not_read(make_relay: MakeRelay, layout: str) -> None:
    relay = make_relay().start()
    with redis.Redis.from_url(str(attach(relay.home / "var"))) as raw:
        raw.set("wr1:layout", layout)
        before = sorted(raw.keys("*"))
        assert relay.cli("status").exit == 1
    assert relay.sigterm() == 0
    assert relay.launch().wait(20) == 1
    assert f"the store holds data in layout {layout}" in relay.log_tail()
    assert b"wr1:layout" in before


@pytest.mark.parametrize("gone", ["*.incr.aof", "*"])
def test_a_file_that_is_deleted_while_it_runs_defers_until_the_server_has_written_it_anew(
    make_relay: MakeRelay, gone: str
) -> None:
    relay = make_relay(policies={"ramp": calendar(5)}).start()
    home = Home(relay.home / "var")
    assert [sent(relay) for _ in range(3)] == [250, 250, 250]
    for path in (home.directory / "appendonlydir").glob(gone):
        path.unlink()

    assert [sent(relay) for _ in range(3)] == [451, 451, 451]
    assert (relay.http("/readyz").status, relay.metric("relay_store_up")) == (503, 0)
    assert "the file of the store is gone" in relay.log_tail()

    with redis.Redis(unix_socket_path=str(home.noted_socket())) as client:
        client.bgrewriteaof()
    until(lambda: relay.http("/readyz").status == 200, "the store", detail=relay.log_tail)
    assert sent(relay) == 250
    relay.sigterm()
    relay.restart()
    assert [sent(relay), sent(relay)] == [250, 451], "the cap is 5, and it has forgotten nothing"
