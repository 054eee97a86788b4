"""The audit log in a real store, and the changes that write it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from relay.admin.changing import Changing
from relay.admin.recording import entry as made_entry
from relay.core.errors import StoreTrouble
from relay.core.policy.policy import EXEMPT
from relay.core.quota.changes import Verb
from relay.core.tenants.audit import AuditEntry, AuditWanted, Outcome
from relay.store import keys
from relay.store.memory import MemoryStore
from relay.store.opening import line_to
from relay.store.shelves.audit_log import RedisAuditLog
from tests.contract.world import HandClock, fresh_route, policy


@pytest_asyncio.fixture
async def line(valkey) -> AsyncIterator[object]:
    made = line_to(valkey.url, 2.0)
    with valkey.client() as raw:
        raw.delete(keys.AUDIT)
    yield made
    await made.close()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def entry(clock, tenant="acme", subject="a.example@outbound") -> AuditEntry:
    told = {"reason": "why", "before": {"n": 1}, "after": {"n": None}}
    return made_entry(clock.now(), "tester", "pause", tenant, subject, **told)


async def test_entries_come_back_as_they_were_the_newest_first(line, clock):
    log, written = RedisAuditLog(line), []
    for _ in range(3):
        written.append(entry(clock))
        await log.add(written[-1])
        clock.move(seconds=1)
    assert await log.page(AuditWanted(), 10) == written[::-1]
    assert await log.page(AuditWanted(before=written[2].id), 1) == [written[1]]


async def test_entries_of_one_millisecond_are_paged_without_loss_or_repeat(line, clock):
    log = RedisAuditLog(line)
    written = [entry(clock) for _ in range(7)]
    for each in written:
        await log.add(each)
    seen, before = [], None
    for _ in range(4):
        page = await log.page(AuditWanted(before=before), 2)
        seen += page
        before = page[-1].id
    assert [each.id for each in seen] == sorted((each.id for each in written), reverse=True)


async def test_what_is_added_while_a_page_is_read_is_not_told_twice(line, clock, monkeypatch):
    log, written = RedisAuditLog(line), []

    async def added(tenant):
        written.append(entry(clock, tenant=tenant))
        await log.add(written[-1])
        clock.move(seconds=1)

    for number in range(40):
        await added("acme" if number % 8 < 2 else "globex")
    newest = log._newest

    async def while_some_are_added(start, count):
        texts = await newest(start, count)
        await added("acme")
        return texts

    wanted = [each for each in reversed(written) if each.tenant == "acme"]
    monkeypatch.setattr(log, "_newest", while_some_are_added)
    assert await log.page(AuditWanted(tenant="acme"), 7) == wanted[:7]
    assert len(written) >= 42


async def test_a_page_of_all_reads_no_more_than_it_tells(line, clock, monkeypatch):
    log = RedisAuditLog(line)
    for _ in range(10):
        await log.add(entry(clock))
    newest, read = log._newest, []

    async def counted(start, count):
        read.append((start, count))
        return await newest(start, count)

    monkeypatch.setattr(log, "_newest", counted)
    assert len(await log.page(AuditWanted(), 4)) == 4
    assert read == [(0, 4)]


async def test_tenant_and_subject_choose(line, clock):
    log = RedisAuditLog(line)
    mine = entry(clock)
    for each in (mine, entry(clock, tenant="globex"), entry(clock, subject="b.example@outbound")):
        await log.add(each)
    wanted = AuditWanted(tenant="acme", subject=mine.subject)
    assert await log.page(wanted, 10) == [mine]


async def test_the_log_is_bounded_and_drops_the_oldest(line, clock):
    log, written = RedisAuditLog(line, most=3), []
    for _ in range(5):
        written.append(entry(clock))
        await log.add(written[-1])
        clock.move(seconds=1)
    assert await log.page(AuditWanted(), 10) == written[:1:-1]


async def test_saying_an_entry_twice_keeps_it_once(line, clock):
    log, one = RedisAuditLog(line), entry(clock)
    await log.add(one)
    await log.add(one)
    assert await log.page(AuditWanted(), 10) == [one]


async def test_an_entry_takes_the_place_of_another_or_goes(line, clock):
    log, one, other = RedisAuditLog(line), entry(clock), entry(clock)
    ahead = replace(one, outcome=Outcome.OPEN)
    await log.add(ahead)
    await log.add(other)
    for _ in range(2):
        await log.replace(ahead, one)
        assert sorted(await log.page(AuditWanted(), 10), key=str) == sorted([one, other], key=str)
    for _ in range(2):
        await log.replace(other, None)
        assert await log.page(AuditWanted(), 10) == [one]


async def test_entries_of_before_there_were_outcomes_were_done(line, clock, valkey):
    log, one = RedisAuditLog(line), entry(clock)
    await log.add(one)
    with valkey.client() as raw:
        [(text, score)] = raw.zrange(keys.AUDIT, 0, -1, withscores=True)
        told = {name: value for name, value in json.loads(text).items() if name != "outcome"}
        raw.delete(keys.AUDIT)
        raw.zadd(keys.AUDIT, {json.dumps(told): score})
    assert await log.page(AuditWanted(), 10) == [one]


# Changes.


@pytest.fixture
def changing(line, clock) -> Changing:
    return Changing(MemoryStore(clock), RedisAuditLog(line), clock)


async def change(changing, verb, route):
    return await changing.change(verb, route, "acme", actor="tester", reason="because")


async def test_a_change_is_noted_with_what_was_before_and_after(changing):
    route = fresh_route(policy())
    done = await change(changing, Verb.PAUSE, route)
    assert done.is_done
    [noted] = await changing.audit.page(AuditWanted(), 10)
    assert (noted.actor, noted.action, noted.reason) == ("tester", "pause", "because")
    assert (noted.subject, noted.tenant) == (str(route.id), "acme")
    assert (noted.before["state"], noted.after["state"]) == ("pending", "paused")
    assert (noted.before["reason"], noted.after["reason"]) == ("", "because")


@pytest.mark.parametrize(
    ("verbs", "says"),
    [
        ([Verb.RESUME], "was not paused"),
        ([Verb.PAUSE, Verb.PAUSE], "was paused already"),
        ([Verb.PAUSE, Verb.START], "is paused: resume it"),
        ([Verb.START, Verb.START], "was started already"),
        ([Verb.GRADUATE, Verb.GRADUATE], "had graduated already"),
        ([Verb.GRADUATE, Verb.START], "runs already: it is warmed"),
        ([Verb.RESTART], "had not begun"),
    ],
)
async def test_what_makes_no_sense_changes_nothing_and_is_not_noted(changing, verbs, says):
    route = fresh_route(policy())
    for verb in verbs[:-1]:
        assert (await change(changing, verb, route)).is_done
    refused = await change(changing, verbs[-1], route)
    assert refused.refusal == says
    assert refused.after == refused.before
    noted = await changing.audit.page(AuditWanted(), 10)
    assert [each.action for each in noted] == [verb.value for verb in reversed(verbs[:-1])]


async def test_an_exempt_route_has_no_ramp_to_change(changing):
    route = replace(fresh_route(policy()), policy=EXEMPT)
    for verb in (Verb.START, Verb.GRADUATE, Verb.RESTART):
        assert "exempt" in (await change(changing, verb, route)).refusal
    assert (await change(changing, Verb.PAUSE, route)).is_done
    assert (await change(changing, Verb.RESUME, route)).after.state == "exempt"


# What a crash between a change and its entry leaves.


class Dies(Exception):
    """Stands for the end of the process."""


class Dying(MemoryStore):
    """Dies at a pause: after it is made, or before."""

    def __init__(self, clock, *, is_made: bool) -> None:
        super().__init__(clock)
        self.is_made = is_made

    async def pause(self, route, reason, now):
        if self.is_made:
            await super().pause(route, reason, now)
        raise Dies


@pytest.mark.parametrize(("is_made", "state"), [(True, "paused"), (False, "pending")])
async def test_whoever_dies_at_a_change_leaves_an_entry_that_is_open(line, clock, is_made, state):
    route, store = fresh_route(policy()), Dying(clock, is_made=is_made)
    changing = Changing(store, RedisAuditLog(line), clock)
    with pytest.raises(Dies):
        await change(changing, Verb.PAUSE, route)
    assert (await changing._status(route, "acme")).state == state
    [noted] = await changing.audit.page(AuditWanted(), 10)
    assert (noted.outcome, noted.actor, noted.action) == (Outcome.OPEN, "tester", "pause")
    assert (noted.before["state"], noted.after) == ("pending", {})


class Away(RedisAuditLog):
    async def add(self, entry):
        raise StoreTrouble


async def test_what_cannot_be_noted_is_not_done(line, clock):
    route, changing = fresh_route(policy()), Changing(MemoryStore(clock), Away(line), clock)
    with pytest.raises(StoreTrouble):
        await change(changing, Verb.PAUSE, route)
    assert (await changing._status(route, "acme")).state == "pending"


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from relay.admin.changing import Changing
from relay.core.quota.changes import Verb
from relay.core.config import StoreConfig
from relay.store import open_store
from relay.store.shelves.audit_log import RedisAuditLog
from tests.contract.world import HandClock, fresh_route, policy

async def main():
    clock, route = HandClock(), fresh_route(policy())
    store = await open_store(StoreConfig(sys.argv[1]), Path(sys.argv[2]), clock)
    pause = store.pause
    async def paused(*said):
        done = await pause(*said)
        print(route.id, done, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    store.pause = paused
    changing = Changing(store, RedisAuditLog(store.line), clock)
    await changing.change(Verb.PAUSE, route, "acme", actor="the dead", reason="x")

asyncio.run(main())
"""


def test_a_process_killed_between_a_change_and_its_outcome_is_in_the_log(valkey, tmp_path):
    command = [sys.executable, "-c", KILLED, valkey.url, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (ran.returncode, ran.stdout.split()[1:]) == (-signal.SIGKILL, ["True"]), ran.stderr
    with valkey.client() as raw:
        noted = [json.loads(text) for text in raw.zrange(keys.AUDIT, 0, -1)]
    [(outcome, subject)] = [(e["outcome"], e["subject"]) for e in noted if e["actor"] == "the dead"]
    assert (outcome, subject) == ("open", ran.stdout.split()[0])
