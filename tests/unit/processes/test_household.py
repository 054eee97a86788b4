"""Children that come up, die, come back, and end; each is a few lines of Python."""

from __future__ import annotations

import asyncio
import signal
import sys
import textwrap
from itertools import cycle, pairwise
from pathlib import Path

import pytest

from relay.processes import child as child_module
from relay.processes import household as household_module
from relay.processes.child import Child, ChildFailed, ChildSpec
from relay.processes.household import Household

HEAD = """
import os, signal, sys, time
from pathlib import Path
from relay.processes.inside import die_with_parent, read_order, say_failed, say_ready
die_with_parent()
order = read_order().decode()
"""
SERVES = "say_ready()\nsignal.pause()\n"
STUBBORN = (
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nsay_ready()\nwhile True: signal.pause()\n"
)


def spec(name: str, body: str, order: str = "", **more) -> ChildSpec:
    command = (sys.executable, "-c", HEAD + textwrap.dedent(body))

    async def ordered():
        return order.encode()

    return ChildSpec(name, command, ordered, **more)


def pid_in(file: Path) -> list[str]:
    return file.read_text().split()


def exists(pid: str) -> bool:
    return Path(f"/proc/{pid}").exists()


async def running(household: Household, count: int) -> list[Child]:
    for _ in range(500):
        if len(found := list(household)) == count:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"{len(list(household))} of {count} run")


async def test_all_come_up_with_their_order_and_end_when_asked(tmp_path: Path) -> None:
    body = "Path(order).write_text(str(os.getppid()))\n" + SERVES
    specs = [spec(name, body, str(tmp_path / name)) for name in ("one", "two")]
    household = Household(specs, lambda name: None)
    await household.start()
    assert sorted(child.name for child in household) == ["one", "two"]
    assert len({(tmp_path / name).read_text() for name in ("one", "two")}) == 1

    await household.end(5)

    assert list(household) == []


async def test_one_that_cannot_come_up_says_why_and_the_others_end_with_it() -> None:
    specs = [spec("good", SERVES), spec("bad", "say_failed('the port is taken')\n")]
    household = Household(specs, lambda name: None)
    with pytest.raises(ChildFailed, match="the port is taken"):
        await household.start()
    assert list(household) == []


async def test_one_that_ends_without_a_word_is_told_by_its_status() -> None:
    with pytest.raises(ChildFailed, match="mute ended with status 3"):
        await Child.start(spec("mute", "sys.exit(3)"))


async def test_one_that_never_says_that_it_serves_is_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(child_module, "START_S", 1.0)
    body = f"Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\ntime.sleep(60)\n"
    with pytest.raises(ChildFailed, match="not ready within 1 s"):
        await Child.start(spec("slow", body))
    assert not exists(pid_in(tmp_path / "pid")[0])


async def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(ChildFailed, match="cannot be run"):
        await Child.start(ChildSpec("none", ("/nowhere/at/all",)))


async def test_what_dies_is_buried_and_started_again_with_a_new_order_until_the_end() -> None:
    told: list[str] = []
    specs = [spec("dies", SERVES, buried=lambda name: told.append(f"{name} buried"))]
    household = Household(specs, lambda name: told.append(f"{name} restarted"))
    await household.start()
    async with asyncio.TaskGroup() as group:
        group.create_task(household.keep())
        for _ in range(2):
            [victim] = await running(household, 1)
            victim.send(signal.SIGKILL)
            await victim.ended()
            await running(household, 1)
        await household.end(5)
    assert told == ["dies buried", "dies restarted"] * 2
    assert list(household) == []


async def test_one_that_hangs_is_killed_and_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stopped, so that no other signal than SIGKILL could end it."""
    monkeypatch.setattr(household_module, "LOOK_S", 0.01)
    hangs, looks = asyncio.Event(), 0

    async def answers() -> bool:
        nonlocal looks
        looks += 1
        return not hangs.is_set()

    told: list[str] = []
    household = Household([spec("hangs", SERVES, answers=answers)], told.append)
    await household.start()
    async with asyncio.TaskGroup() as group:
        group.create_task(household.keep())
        [victim] = await running(household, 1)
        victim.send(signal.SIGSTOP)
        looks = 0
        hangs.set()
        assert await victim.ended() == -signal.SIGKILL
        assert looks == household_module.HANGS_AFTER
        hangs.clear()
        [other] = await running(household, 1)
        assert other.pid != victim.pid
        await household.end(5)
    assert told == ["hangs"]


async def test_one_that_answers_again_before_the_third_look_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(household_module, "LOOK_S", 0.01)
    looks = asyncio.Queue[None]()
    told = cycle([False, False, True])

    async def answers() -> bool:
        looks.put_nowait(None)
        return next(told)

    household = Household([spec("slow", SERVES, answers=answers)], lambda name: None)
    await household.start()
    async with asyncio.TaskGroup() as group:
        group.create_task(household.keep())
        [child] = await running(household, 1)
        async with asyncio.timeout(30):
            for _ in range(12):
                await looks.get()
        assert child.is_running
        await household.end(5)


async def test_one_that_does_not_come_back_is_tried_with_growing_pauses(tmp_path: Path) -> None:
    body = f"""
    tries = Path({str(tmp_path / "tries")!r})
    tries.open("a").write(f"{{time.monotonic()}}\\n")
    if 1 < len(tries.read_text().split()) < 5: say_failed("not yet"), sys.exit(1)
    say_ready()
    signal.pause()
    """
    household = Household([spec("tried", body)], lambda name: None)
    await household.start()
    async with asyncio.TaskGroup() as group:
        group.create_task(household.keep())
        [first] = household
        await first.kill()
        await running(household, 0)
        await running(household, 1)
        await household.end(5)
    times = [float(at) for at in (tmp_path / "tries").read_text().split()]
    pauses = [after - before for before, after in pairwise(times[1:])]
    assert len(times) == 5
    assert pauses[0] >= 0.2
    assert pauses[2] >= 0.8


async def test_one_that_does_not_end_in_time_is_killed() -> None:
    household = Household([spec("stubborn", STUBBORN)], lambda name: None)
    await household.start()
    [child] = household
    await household.end(0.3)
    assert await child.ended() == -signal.SIGKILL


async def test_the_end_while_one_is_coming_back_leaves_none(tmp_path: Path) -> None:
    body = f"""
    runs = Path({str(tmp_path / "runs")!r})
    runs.open("a").write(f"{{os.getpid()}}\\n")
    if len(runs.read_text().split()) > 1: time.sleep(60)
    say_ready()
    signal.pause()
    """
    household = Household([spec("late", body)], lambda name: None)
    await household.start()
    async with asyncio.TaskGroup() as group:
        group.create_task(household.keep())
        [first] = household
        await first.kill()
        for _ in range(500):
            if len((tmp_path / "runs").read_text().split()) == 2:
                break
            await asyncio.sleep(0.02)
        await household.end(5)
    pids = pid_in(tmp_path / "runs")
    assert len(pids) == 2
    assert not any(map(exists, pids))
