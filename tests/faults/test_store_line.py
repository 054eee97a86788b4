"""A store that is slow, away, full, read-only, loading or forgetful: 451, soon, and only then."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest
from redis.exceptions import BusyLoadingError

from relay.core.errors import StoreTrouble
from relay.core.quota.reservation import Granted, Mark, Seen, Verdict
from relay.store import calls, keys
from relay.store.commands import script
from relay.store.connections.node import CONNECTIONS
from relay.store.troubles import WrongLayout
from tests.contract.server import bare_server
from tests.contract.world import fresh_route, policy
from tests.faults.store_given import TIMEOUT_S, recovers_within, troubled, world_at
from tests.harness.waiting import until


@pytest.fixture
def server():
    with bare_server() as running:
        yield running


@pytest.fixture
def warnings(caplog):
    caplog.set_level(logging.INFO, "relay.store")
    return lambda: [r.getMessage() for r in caplog.records if "fails" in r.getMessage()]


def verbs(world):
    """Every verb of the port, ready to be called."""
    store, route = world.store, world.route
    demand = world.demand(1, "print")
    held = world.taken[0]
    now = world.clock.now()
    return {
        "reserve": lambda: store.reserve(demand),
        "settle": lambda: store.settle(held, Verdict.SENT, now),
        "left": lambda: store.left(held),
        "heard": lambda: store.heard(held),
        "standing": lambda: store.standing(route, world.window),
        "standings": lambda: store.standings([(route, world.window)] * 3),
        "pause": lambda: store.pause(route.id, "why", now),
        "resume": lambda: store.resume(route.id),
        "graduate": lambda: store.graduate(route.id, now),
        "restart": lambda: store.restart(route.id),
        "is_alive": lambda: store.instances.is_alive("somebody"),
    }


VERBS = (
    "reserve",
    "settle",
    "left",
    "heard",
    "standing",
    "standings",
    "pause",
    "resume",
    "graduate",
    "restart",
    "is_alive",
)


async def causes_until_it_works(world):
    causes = []
    for _ in range(2000):
        try:
            await world.granted(1)
        except StoreTrouble as trouble:
            causes.append(trouble.__cause__)
            await asyncio.sleep(0.01)
        else:
            return causes
    raise AssertionError(causes[-1])


async def test_every_verb_against_a_frozen_server_fails_within_its_deadline(server):
    async with world_at(server.url) as world:
        world.taken.append(await world.granted(1, "print"))
        assert set(verbs(world)) == set(VERBS)
        server.freeze()
        try:
            took = await asyncio.gather(*(troubled(call()) for call in verbs(world).values()))
        finally:
            server.thaw()
        assert max(took) < TIMEOUT_S + 0.3
        assert not isinstance(await recovers_within(world, 1.0), Exception)


async def test_every_verb_against_a_dead_server_fails_at_once(server):
    async with world_at(server.url) as world:
        world.taken.append(await world.granted(1, "print"))
        server.kill()
        await asyncio.sleep(0.05)
        for verb, call in verbs(world).items():
            took = await troubled(call())
            patient = verb in {"settle", "left", "heard"}
            assert took < (TIMEOUT_S + 0.3 if patient else 0.1), verb
        assert await world.store.ping() is False


async def test_a_server_that_comes_back_is_used_within_a_second(server):
    async with world_at(server.url) as world:
        await world.send(5)
        server.kill()
        await troubled(world.reserve(1))
        server.start()
        assert await recovers_within(world, 1.0) < 1.0
        assert (await world.standing()).charged == 6, "and it has forgotten nothing"


async def test_a_relay_that_starts_before_its_store_finds_it_later(server):
    server.kill()
    async with world_at(server.url) as world:
        await troubled(world.reserve(1))
        assert not await world.store.ping()
        server.start()
        await recovers_within(world, 1.0)
        assert await world.store.ping()


async def test_many_callers_neither_storm_a_frozen_server_nor_charge_it_afterwards(server):
    async with world_at(server.url) as world:
        await world.granted(1)
        with server.client() as raw:
            connected = raw.info("clients")["connected_clients"]
            server.freeze()
            began = time.monotonic()
            while time.monotonic() - began < 2:
                await asyncio.gather(*(troubled(world.reserve(1)) for _ in range(50)))
            server.thaw()
            await recovers_within(world, 1.0)
            stats = raw.info("clients")
        assert stats["connected_clients"] - connected <= 2 + CONNECTIONS
        # Those that were on their way when it froze (a connection each) may have been charged.
        assert (await world.standing()).charged <= 2 + CONNECTIONS


async def test_those_who_waited_their_turn_when_the_store_froze_are_not_charged(server):
    async with world_at(server.url) as world:
        await world.granted(1)
        server.freeze()
        first = [asyncio.create_task(troubled(world.reserve(1))) for _ in range(CONNECTIONS + 8)]
        await asyncio.sleep(TIMEOUT_S / 2)
        later = [asyncio.create_task(troubled(world.reserve(1))) for _ in range(40)]
        await asyncio.gather(*first, *later)
        server.thaw()
        await recovers_within(world, 1.0)
        # Of those whose bytes it had, it may drop the last: nobody waits for them any more.
        assert CONNECTIONS / 2 < (await world.standing()).charged <= 2 + CONNECTIONS


async def test_a_dead_server_is_tried_a_few_times_a_second_however_many_ask():
    tried = 0

    def count(reader, writer):
        nonlocal tried
        tried += 1
        writer.close()

    listener = await asyncio.start_server(count, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with world_at(f"redis://127.0.0.1:{port}") as world:
        began = time.monotonic()
        while time.monotonic() - began < 1:
            await asyncio.gather(*(troubled(world.reserve(1)) for _ in range(50)))
            await asyncio.sleep(0.001)
    listener.close()
    assert 2 <= tried <= 10


async def test_a_port_where_nobody_listens_is_refused_at_once():
    async with world_at("redis://127.0.0.1:1", timeout_s=2) as world:
        assert await troubled(world.reserve(1)) < 0.1


async def test_a_reservation_whose_answer_is_lost_stays_charged_and_is_never_said_twice(server):
    async with world_at(server.url) as world:
        await world.granted(1)
        server.freeze()
        await troubled(world.reserve(10))
        server.thaw()
        await recovers_within(world, 1.0)
        assert (await world.standing()).charged == 12


async def test_a_settlement_survives_a_restart_of_the_server_inside_its_deadline(server):
    async with world_at(server.url, timeout_s=3) as world:
        reservation = await world.granted(5, "print")
        server.kill()
        settling = asyncio.create_task(world.settle(reservation, Verdict.SENT))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(server.start)
        await settling
        standing = await world.standing()
        assert (standing.sent, standing.lifetime, standing.unheard) == (5, 5, 1)


async def test_a_settlement_whose_answer_was_lost_counts_once(server):
    async with world_at(server.url, timeout_s=1) as world:
        reservation = await world.granted(5)
        server.freeze()
        settling = asyncio.create_task(world.settle(reservation, Verdict.SENT))
        await asyncio.sleep(0.7)  # half of the deadline: it has been said, and lost
        server.thaw()
        await settling
        assert (await world.standing()).sent == 5


async def test_a_server_that_forgot_its_scripts_is_taught_them_again(server):
    async with world_at(server.url) as world:
        held = await world.granted(1, "print")
        with server.client() as raw:
            for verb in ("settle", "left", "heard", "standing", "reserve"):
                raw.script_flush()
                world.taken.append(held)
                await verbs(world)[verb]()
            raw.script_flush()
            wanted = [(fresh_route(policy()), world.window) for _ in range(5)]
            assert len(await world.store.standings(wanted)) == 5
        assert (await world.standing()).charged == 2


async def test_one_that_lacks_a_script_is_taught_all_that_a_message_needs(server):
    async with world_at(server.url) as world:
        with server.client() as raw:
            raw.script_flush()
            await world.granted(1, "print")
            hashes = [script(*names).sha for names in calls.OF_MAIL]
            # Else a reservation could go past the `left` that is being taught (rule 3).
            assert raw.script_exists(*hashes) == [True] * len(hashes)


async def test_a_full_server_defers_and_still_answers_what_only_reads(server, warnings):
    async with world_at(server.url) as world:
        held = await world.granted(1)
        with server.client() as raw:
            raw.config_set("maxmemory", 1)
            for _ in range(20):
                await troubled(world.reserve(1))
                assert (await world.standing()).charged == 1
            assert not await world.store.ping(), "it would take no charge"
            raw.config_set("maxmemory", 0)
        assert await world.store.ping()
        await world.granted(1)
        await world.settle(held, Verdict.SENT)
        reserve, ping = warnings()  # each once
        assert "'reserve'" in reserve
        assert "'ping'" in ping


async def test_a_server_demoted_to_a_replica_defers_until_it_is_promoted(server):
    async with world_at(server.url) as world:
        held = await world.granted(1)
        with server.client() as raw:
            raw.replicaof("127.0.0.1", 1)
            await troubled(world.reserve(1))
            await troubled(world.settle(held, Verdict.SENT))
            raw.replicaof("no", "one")
        await recovers_within(world, 1.0)
        await world.settle(held, Verdict.SENT)
        assert (await world.standing()).sent == 1


async def test_a_server_that_still_loads_its_file_defers(server):
    async with world_at(server.url) as world:
        await world.send(3)
        with server.client() as raw, raw.pipeline(transaction=False) as pipe:
            for n in range(6000):
                pipe.set(f"ballast:{n}", "x")
            pipe.execute()
        server.kill()
        server.socket.unlink()
        server.start("--key-load-delay", "200", wait=False)  # µs a key: 1.2 s
        until(server.socket.exists, "the socket", every_s=0.001)
        causes = await causes_until_it_works(world)
        assert any(isinstance(cause, BusyLoadingError) for cause in causes)
        assert (await world.standing()).charged == 4


async def test_a_key_of_the_wrong_kind_is_trouble_and_nothing_else(server):
    async with world_at(server.url) as world:
        with server.client() as raw:
            raw.set(keys.route(world.route.id), "spoiled")
        await troubled(world.reserve(1))
        world.route = fresh_route(policy())
        await world.granted(1)


async def test_a_wrong_password_is_trouble(server):
    with server.client() as raw:
        raw.config_set("requirepass", "s%cret")
    for password, fits in (("wrong@", False), ("", False), (":s%25cret@", True)):
        async with world_at(server.url.replace("unix://", f"unix://{password}")) as world:
            if fits:
                await world.granted(1)
            else:
                await troubled(world.reserve(1))


async def test_an_outage_is_logged_once_however_many_messages_it_hits(server, warnings):
    async with world_at(server.url) as world:
        world.taken.append(await world.granted(1, "print"))
        server.kill()
        for _ in range(3):
            await asyncio.gather(*(troubled(call()) for call in list(verbs(world).values())))
        assert len(warnings()) == 1


async def test_cancelled_calls_never_hand_their_answer_to_another(server):
    async with world_at(server.url, timeout_s=5) as world:
        routes = [fresh_route(policy((0, None))) for _ in range(40)]
        for n, route in enumerate(routes):
            world.route = route
            await world.granted(n + 1)
        window = world.window
        asked = 0
        for delay_us in range(300):
            calls = [asyncio.create_task(world.store.standing(r, window)) for r in routes]
            await asyncio.sleep(delay_us * 5e-6)
            for call in calls[::2]:
                call.cancel()
            answers = await asyncio.gather(*calls, return_exceptions=True)
            for n, answer in enumerate(answers):
                if not isinstance(answer, asyncio.CancelledError):
                    asked += 1
                    assert answer.charged == n + 1
        assert asked > 300 * 20
        found = await asyncio.gather(*(world.store.standing(r, window) for r in routes))
        assert [s.charged for s in found] == list(range(1, 41)), "no connection was lost"


async def test_timeouts_lose_no_connection_for_good(server):
    async with world_at(server.url, timeout_s=0.05) as world:
        for _ in range(4):
            server.freeze()
            await asyncio.gather(*(troubled(world.reserve(1)) for _ in range(100)))
            server.thaw()
            await recovers_within(world, 1.0)
    async with world_at(server.url, timeout_s=5) as world:
        found = await asyncio.gather(*(world.reserve(1) for _ in range(100)))
        assert all(isinstance(f, Granted) for f in found)


async def test_what_is_remembered_of_a_message_survives_the_server(server):
    async with world_at(server.url, timeout_s=2) as world:
        await world.send(1, "print", "i.1")
        server.kill()
        server.start()
        await recovers_within(world, 1.0)
        assert await world.reserve(1, "print", "i.2") == Seen({"i.1": Mark.TAKEN})


async def test_a_store_of_another_layout_is_refused_at_start_and_later(server):
    async with world_at(server.url) as world:
        await world.granted(1)
        with server.client() as raw:
            raw.set(keys.LAYOUT, "2")
            with pytest.raises(WrongLayout, match=r"layout 2.*reads layout 1"):
                async with world_at(server.url):
                    pass
        server.kill()
        await troubled(world.reserve(1))
        server.start()
        await asyncio.sleep(0.3)
        await troubled(world.reserve(1))
        assert not await world.store.ping()
