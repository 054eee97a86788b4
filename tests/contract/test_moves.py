"""Backups and restores of a real store: each domain as of one instant, and no charge forgotten."""

from __future__ import annotations

import asyncio

import pytest

from relay.core.config import StoreConfig
from relay.core.quota.reservation import Verdict
from relay.store import keys, open_store
from relay.store.moves import BadRecord, NotEmpty, Record, Unfinished, exported, imported
from tests.contract.server import bare_server
from tests.contract.world import NOON, World, fresh_route, policy, share


async def records_of(world):
    """The records of the world's own domain: other tests share the server."""
    tag = world.route.id.domain
    return [r async for r in exported(world.store.line) if keys.tag_of(r.key) == tag]


def by_key(records):
    return {record.key: record.value for record in records}


async def busy(world):
    """A route with a bit of everything."""
    world.follow(policy((0, 40), providers={"google": share(50)}))
    world.clock.move(days=-1)
    await world.send(9)
    world.clock.set(NOON)
    await world.to("send", google=6, yahoo=1)
    await world.send(2, "print")
    await world.to("granted", google=3)
    await world.settle(await world.granted(2), Verdict.UNKNOWN)


async def test_what_is_put_back_stands_as_it_stood(real_world, raw):
    world = real_world
    await busy(world)
    await world.store.pause(world.route.id, "list check", world.clock.now())
    before, records = await world.standing(), await records_of(world)
    lives = {record.key: raw.pttl(record.key) for record in records}
    raw.delete(*lives)
    assert (await world.standing()).charged == 0

    assert await imported(world.store.line, records, replace=True) == len(records)

    assert await world.standing() == before
    assert by_key(await records_of(world)).keys() == by_key(records).keys()
    for key, ttl_ms in lives.items():
        assert abs(raw.pttl(key) - ttl_ms) < 10_000, key
    marks = await world.store.attempts(world.route.id.domain, ["print"], "", world.clock.now())
    assert marks == [{"i.1": "taken"}]
    await world.store.resume(world.route.id)
    await world.to("walled", google=12)
    await world.to("granted", google=11)


async def test_each_domain_is_read_as_of_one_instant(real_world):
    """While it sends: lifetime, day, window and slices of a backup tell the same count."""
    world, other = real_world, World(real_world.store, real_world.clock, fresh_route(policy()))
    for each in (world, other):
        each.follow(policy((0, None)))
    stop = asyncio.Event()

    async def sends(each):
        while not stop.is_set():
            await each.settle(await each.granted(1), Verdict.SENT)

    tasks = [asyncio.create_task(sends(each)) for each in (world, other) for _ in range(4)]
    try:
        counts = [await self_consistent(world) for _ in range(30)]
    finally:
        stop.set()
        await asyncio.gather(*tasks)
    assert counts[-1] > counts[5] > 0


async def self_consistent(world):
    """The lifetime that a backup tells, which all of it tells."""
    held, route = by_key(await records_of(world)), world.route.id
    if keys.days(route) not in held:
        return 0
    window = held[keys.window(route, world.window.label)]
    in_flight = sum(int(v.split(":")[0]) for name, v in window.items() if name.startswith("r:"))
    slices = held[keys.slices(route)]
    sent = sum(int(count) for name, count in slices.items() if name.startswith("s:"))
    charged = sum(int(count) for name, count in slices.items() if name.startswith("c:"))
    assert charged == int(window["charged"]) == sent + in_flight
    assert sent == int(window["sent"]) == int(held[keys.route(route)]["lifetime"])
    assert [sent] == [int(count) for count in held[keys.days(route)].values()]
    return sent


async def test_going_back_to_an_older_backup_forgets_no_charge(real_world):
    world = real_world
    await busy(world)
    records, before = await records_of(world), await world.standing()
    await world.to("send", google=4, yahoo=2)
    await world.to("granted", yahoo=5)
    now_held = await world.standing()

    await imported(world.store.line, records, replace=True)

    after = await world.standing()
    assert (after.charged, after.providers) == (now_held.charged, now_held.providers)
    assert after.lifetime == before.lifetime
    room = 40 - after.charged
    await world.walled(room + 1)
    await world.granted(room)


async def test_what_was_in_flight_can_still_be_settled_after_it_was_put_back(real_world):
    world = real_world
    await world.send(3)
    in_flight = await world.granted(4)
    records = await records_of(world)
    await imported(world.store.line, records, replace=True)
    assert (await world.standing()).reserved == 4
    await world.settle(in_flight, Verdict.SENT)
    assert ((await world.standing()).sent, (await world.standing()).lifetime) == (7, 7)


async def test_a_store_with_state_is_refused_and_an_empty_one_is_not(real_world, clock, tmp_path):
    await busy(real_world)
    records = await records_of(real_world)
    with pytest.raises(NotEmpty, match="holds quota state already, such as wr1:"):
        await imported(real_world.store.line, records, replace=False)
    with bare_server() as server:
        store = await open_store(StoreConfig(server.url), tmp_path, clock)
        other = World(store, clock, real_world.route)
        assert await imported(store.line, records, replace=False) == len(records)
        assert await other.standing() == await real_world.standing()
        await store.close()


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (Record("wr1:layout", "hash", {"a": "1"}, -1), "no key of this layout"),
        (Record("other:{a}:route:b", "hash", {"a": "1"}, -1), "no key of this layout"),
        (Record("wr1:{a}:route:b", "string", {"a": "1"}, -1), "no key of this layout"),
        (Record("wr1:{a}:route:b", "hash", {}, -1), "holds nothing"),
        (Record("wr1:{a}:slices:b", "hash", {"c:0-900": "x"}, -1), "something else than counts"),
        (Record("wr1:{a}:slices:b", "hash", {"c:0-900": "٣"}, -1), "something else than counts"),
        (Record("wr1:{a}:sending:b", "zset", {"739000": "x"}, -1), "something else than scores"),
        (Record("wr1:{a}:sending:b", "zset", {"739000": "nan"}, -1), "something else than scores"),
        (Record("wr1:{a}:route:b", "hash", {"a": "1"}, 10**30), "does not live for"),
    ],
)
async def test_a_record_that_no_backup_holds_is_refused_before_anything_is_written(
    real_world, raw, record, says
):
    good = Record(f"wr1:{{{real_world.route.id.domain}}}:route:outbound", "hash", {"a": "1"}, -1)
    with pytest.raises(BadRecord, match=says):
        await imported(real_world.store.line, [good, record], replace=True)
    assert raw.exists(good.key) == 0


async def test_hundreds_of_unheard_messages_and_windows_are_moved(real_world, raw):
    world = real_world
    world.follow(policy((0, None), rolling=True))
    for number in range(510):
        await world.send(1, f"print{number}", f"i.{number}")
        world.clock.move(seconds=20)
    records = await records_of(world)
    assert len([r for r in records if keys.is_message(r.key)]) == 510
    before = await world.standing()
    raw.delete(*[record.key for record in records])
    await imported(world.store.line, records, replace=True)
    assert await world.standing() == before


class Told:
    """Records that come one by one; the second time `fault` comes after them."""

    def __init__(self, records, fault=None):
        self.records, self.fault = records, fault
        self.times = 0
        self.given = 0

    def __iter__(self):
        self.times += 1
        for record in self.records:
            self.given += 1
            yield record
        if self.fault and self.times == 2:
            raise self.fault


class Counting:
    """A line that counts what is written, and how far those who read are ahead of it."""

    def __init__(self, line, told):
        self.line, self.told = line, told
        self.written = self.ahead = self.steps = 0

    async def holdings(self):
        return await self.line.holdings()

    async def ask_all(self, commands):
        self.ahead = max(self.ahead, self.told.given - len(self.told.records) - self.written)
        counts = await self.line.ask_all(commands)
        self.written += sum(counts)
        self.steps += len(counts)
        return counts


def many(domains):
    for number in range(domains):
        tag = f"wr1:{{many{number}.example}}"
        yield Record(f"{tag}:days:outbound", "hash", {"20512": "5"}, -1)
        yield Record(f"{tag}:route:outbound", "hash", {"lifetime": "5"}, -1)


async def test_a_backup_is_not_held_while_it_is_restored(real_world, raw):
    """However many domains, it is read no further ahead than the steps that are under way."""
    told = Told([*many(500)])
    line = Counting(real_world.store.line, told)
    assert await imported(line, told, replace=True) == 1000

    assert told.times == 2
    assert line.steps == 500, "each domain in one step"
    assert line.ahead <= 2 * 20 + 1
    assert raw.hget("wr1:{many499.example}:route:outbound", "lifetime") in {"5", b"5"}
    raw.delete(*[record.key for record in told.records])


@pytest.mark.parametrize("fault", [OSError("gone"), BadRecord("bad.jsonl:9: no JSON")])
async def test_a_backup_that_is_another_when_it_is_written_is_told_of(real_world, raw, fault):
    told = Told([*many(30)], fault)
    with pytest.raises(Unfinished, match="is another backup: "):
        await imported(real_world.store.line, told, replace=True)
    raw.delete(*[record.key for record in told.records])
