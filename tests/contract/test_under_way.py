"""An attempt that another process has under way is waited for, until its mark tells (rule 3)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from relay.core.quota.reservation import Granted, Mark, Seen, Verdict
from relay.store import keys, patience
from relay.store.patience import Patience

NEVER_S = 3600.0
HERE, THERE = "here.1", "there.1"


@pytest.fixture
def _endless(monkeypatch):
    """Who waits waits on."""
    monkeypatch.setattr(patience, "PAUSES_S", (0.005,) * 2000)


@pytest.fixture
def _brief(monkeypatch):
    monkeypatch.setattr(patience, "PAUSES_S", (0.001, 0.002))


@pytest.fixture
def _no_waiting(monkeypatch):
    """Who waits never comes back."""
    monkeypatch.setattr(patience, "PAUSES_S", (NEVER_S,))


async def asked(world, session=HERE, **more):
    """A reservation under way, which waits as long as nothing changes."""
    task = asyncio.create_task(world.reserve(1, "print", session, **more))
    await asyncio.sleep(0.05)
    assert not task.done()
    return task


async def answered(task):
    async with asyncio.timeout(10):
        return await task


@pytest.mark.usefixtures("_endless")
@pytest.mark.parametrize(("verb", "mark"), [("granted", Mark.LEFT), ("send", Mark.GONE)])
async def test_a_client_that_left_there_before_or_after_it_was_taken_is_seen(
    real_world, verb, mark
):
    first = await getattr(real_world, verb)(1, "print", THERE)
    again = await asked(real_world)
    await real_world.store.left(first)
    assert await answered(again) == Seen({THERE: mark})
    assert (await real_world.standing()).charged == 1


@pytest.mark.usefixtures("_endless")
@pytest.mark.parametrize("verdict", [Verdict.REFUND, Verdict.UNKNOWN])
async def test_what_was_not_taken_there_is_charged_here(real_world, verdict):
    first = await real_world.granted(1, "print", THERE)
    again = await asked(real_world)
    await real_world.settle(first, verdict)
    assert isinstance(await answered(again), Granted)


@pytest.mark.usefixtures("_endless")
async def test_what_was_taken_there_and_heard_of_is_another_mail(real_world):
    first = await real_world.granted(1, "print", THERE)
    again = await asked(real_world)
    await real_world.settle(first, Verdict.SENT)
    await real_world.store.heard(first)
    assert isinstance(await answered(again), Granted)


@pytest.mark.usefixtures("_brief")
async def test_a_client_that_is_still_there_after_all_patience_has_another_mail(real_world):
    assert not (await real_world.reserve(1, "print", THERE)).is_contested
    assert (await real_world.reserve(1, "print", HERE)).is_contested
    assert (await real_world.standing()).charged == 2


@pytest.mark.usefixtures("_brief")
async def test_what_stands_taken_after_all_patience_is_told_as_it_is(real_world):
    await real_world.send(1, "print", THERE)
    assert await real_world.reserve(1, "print", HERE) == Seen({THERE: Mark.TAKEN})


@pytest.mark.usefixtures("_endless")
async def test_a_mail_of_its_own_waits_for_what_is_under_way_but_not_for_what_was_taken(
    real_world,
):
    await real_world.send(1, "print", "there.1")
    under_way = await real_world.granted(1, "print", "there.2", anew=True)
    again = await asked(real_world, anew=True)
    await real_world.settle(under_way, Verdict.UNKNOWN)
    assert isinstance(await answered(again), Granted)


@pytest.mark.usefixtures("_no_waiting")
async def test_a_process_waits_for_none_of_its_own(real_world):
    async with asyncio.timeout(10):
        await real_world.granted(1, "print", "here.1")
        await real_world.granted(1, "print", "here.2")
        taken = await real_world.send(1, "other", "here.3")
        assert await real_world.reserve(1, "other", "here.4") == Seen({"here.3": Mark.TAKEN})
        await real_world.store.left(taken)
        assert await real_world.reserve(1, "other", "there.1") == Seen({"here.3": Mark.GONE})


@pytest.mark.usefixtures("_no_waiting")
async def test_nothing_of_an_attempt_that_ended_untaken_is_kept(real_world, raw):
    for verdict in (Verdict.REFUND, Verdict.UNKNOWN):
        await real_world.settle(await real_world.granted(1, "print", THERE), verdict)
    assert not raw.exists(keys.message(real_world.route.id.domain, "print"))


@pytest.mark.usefixtures("_no_waiting")
async def test_an_attempt_whose_end_nobody_told_is_forgotten_after_a_while(real_world):
    await real_world.granted(1, "print", THERE)
    real_world.clock.move(minutes=15)
    async with asyncio.timeout(10):
        await real_world.granted(1, "print", HERE)


# Of a message whose quota was reserved before it was known.


async def attempts(world, name, session):
    found = await world.store.attempts(world.route.id.domain, [name], session, world.clock.now())
    return found[0]


@pytest.mark.usefixtures("_endless")
async def test_one_that_learnt_its_message_late_is_waited_for_and_waits(real_world):
    held = await real_world.granted(1, None, THERE)
    assert await attempts(real_world, "print", THERE) == {}
    whole = await asked(real_world, "here.1")
    late = asyncio.create_task(attempts(real_world, "print", "else.1"))
    await asyncio.sleep(0.05)
    assert not late.done()
    await real_world.store.left(replace(held, fingerprint="print"))
    assert await answered(whole) == Seen({THERE: Mark.LEFT})
    assert await answered(late) == {THERE: Mark.LEFT}


@pytest.mark.usefixtures("_no_waiting")
async def test_who_only_looks_is_at_no_message_and_waits_for_none(real_world):
    await real_world.granted(1, "print", THERE)
    async with asyncio.timeout(10):
        assert await attempts(real_world, "print", "") == {}
        assert await attempts(real_world, "other", "") == {}
        await real_world.granted(1, "other", HERE)


# How long.


class Line:
    """A store that has answered for so long."""

    def __init__(self, answering_s: float) -> None:
        self._answering_s = answering_s

    def answering_for_s(self) -> float:
        return self._answering_s


@pytest.mark.parametrize(
    ("up_s", "answering_s", "is_longer"),
    [(60.0, 60.0, False), (60.0, 1.0, True), (60.0, 0.0, True), (1.0, 0.9, False)],
)
def test_patience_is_longer_when_the_store_was_away_but_not_after_a_start(
    monkeypatch, up_s, answering_s, is_longer
):
    held = Patience(Line(answering_s))
    later = time.monotonic() + up_s
    monkeypatch.setattr(patience.time, "monotonic", lambda: later)
    assert (sum(held.pauses()) > 1.0) is is_longer
