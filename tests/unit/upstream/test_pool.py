from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from relay.ports.upstream import Taken, Unreachable
from tests.harness.smtp_script import late, refuse, stall
from tests.harness.smtp_sink import Sink
from tests.unit.upstream.given import outgoing, upstream
from tests.unit.upstream.loops import on_both_loops


@on_both_loops
async def test_two_hundred_at_once_stay_within_the_limit_and_all_arrive():
    async with Sink() as sink, upstream(sink.port, connections=7, command_timeout_s=20.0) as up:
        outcomes = await asyncio.gather(
            *(up.deliver(outgoing(f"r{n}@x.example")) for n in range(200))
        )
    assert all(isinstance(outcome, Taken) for outcome in outcomes)
    assert sink.most_open <= 7
    assert sink.connections == 7
    assert sorted(m.rcpts[0] for m in sink.messages) == sorted(
        f"r{n}@x.example" for n in range(200)
    )


async def test_who_waits_longest_is_next():
    async with Sink() as sink, upstream(sink.port, connections=1, command_timeout_s=20.0) as up:
        names = [f"r{n}@x.example" for n in range(20)]
        await asyncio.gather(*(up.deliver(outgoing(name)) for name in names))
    assert [message.rcpts[0] for message in sink.messages] == names


async def test_a_connection_carries_as_many_messages_as_allowed_and_no_more():
    async with Sink() as sink, upstream(sink.port, messages_per_connection=3) as up:
        for _ in range(10):
            assert isinstance(await up.deliver(outgoing()), Taken)
    assert list(Counter(message.connection for message in sink.messages).values()) == [3, 3, 3, 1]
    assert sink.verbs().count("QUIT") == 4


async def test_one_connection_is_used_again_and_again():
    async with Sink() as sink, upstream(sink.port) as up:
        for _ in range(50):
            await up.deliver(outgoing())
        assert (sink.connections, sink.verbs().count("EHLO")) == (1, 1)


async def test_an_idle_connection_is_quit_in_time():
    async with Sink() as sink, upstream(sink.port, idle_s=0.15) as up:
        await up.deliver(outgoing())
        assert sink.open == 1
        await asyncio.sleep(0.4)
        assert sink.open == 0
        assert sink.verbs()[-1] == "QUIT"
        assert isinstance(await up.deliver(outgoing()), Taken)
        assert sink.connections == 2


async def test_an_old_connection_is_replaced_however_busy_it_is():
    async with Sink() as sink, upstream(sink.port, age_s=0.2, idle_s=60.0) as up:
        for _ in range(6):
            assert isinstance(await up.deliver(outgoing()), Taken)
            await asyncio.sleep(0.08)
    assert 2 <= sink.connections <= 4


async def test_waiting_for_a_free_connection_has_an_end():
    async with Sink() as sink:
        sink.script.add("MAIL", stall())
        async with upstream(sink.port, connections=1, command_timeout_s=0.3) as up:
            first, second = await asyncio.gather(up.deliver(outgoing()), up.deliver(outgoing()))
    assert isinstance(first, Unreachable)
    assert isinstance(second, Unreachable)
    assert "no connection was free" in second.why
    assert sink.verbs().count("MAIL") == 1


async def test_a_waiter_that_is_cancelled_loses_nobody_a_place():
    async with Sink() as sink, upstream(sink.port, connections=2, command_timeout_s=5.0) as up:
        sink.script.add("DOT", late(0.05))
        tasks = [asyncio.create_task(up.deliver(outgoing())) for _ in range(12)]
        await asyncio.sleep(0.02)
        for task in tasks[1::2]:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(outcome, Taken) for outcome in outcomes[0::2])
        assert isinstance(await up.deliver(outgoing()), Taken)
        assert isinstance(await up.deliver(outgoing()), Taken)
        assert sink.most_open <= 3, "the one that was cut may still be closing"


async def test_a_connection_to_another_host_makes_room_within_the_limit():
    async with Sink() as first, Sink() as second:
        async with upstream(first.port, second.port, connections=1) as up:
            assert isinstance(await up.deliver(outgoing()), Taken)
            await first.stop()
            assert isinstance(await up.deliver(outgoing()), Taken)
            assert (first.open, second.open) == (0, 1)
            await first.start(port=first.port)
            assert isinstance(await up.deliver(outgoing()), Taken)
        assert (len(first.messages), len(second.messages)) == (1, 2)


async def test_idle_connections_to_another_host_are_quit_where_the_limit_needs_it():
    async with Sink() as first, Sink() as second:
        async with upstream(first.port, second.port, connections=3) as up:
            first.script.add("DOT", late(0.05))
            await asyncio.gather(*(up.deliver(outgoing()) for _ in range(3)))
            first.script.add("MAIL", refuse("421 4.3.2 busy", close=True))
            assert isinstance(await up.deliver(outgoing()), Taken)
            assert (first.open, second.open) == (2, 1)
            second.script.add("DOT", late(0.05))
            await asyncio.gather(*(up.deliver(outgoing()) for _ in range(3)))
            await asyncio.sleep(0.05)
            assert (first.open, second.open) == (0, 3)
        assert (len(first.messages), len(second.messages)) == (3, 4)


async def test_close_says_quit_waits_for_deliveries_and_takes_no_more():
    async with Sink() as sink, upstream(sink.port, connections=2) as up:
        await up.deliver(outgoing())
        sink.script.add("DOT", late(0.2))
        delivery = asyncio.create_task(up.deliver(outgoing()))
        await asyncio.sleep(0.05)
        await up.close()
        assert isinstance(await delivery, Taken)
        assert isinstance(await up.deliver(outgoing()), Unreachable)
        assert (sink.open, sink.verbs()[-1]) == (0, "QUIT")
        await up.close()


@pytest.mark.parametrize("verb", ["MAIL", "DOT"])
async def test_close_ends_within_its_time_whatever_hangs(monkeypatch, verb: str):
    monkeypatch.setattr("relay.upstream.pool.CLOSE_S", 0.2)
    patient = {"command_timeout_s": 30.0, "final_timeout_s": 30.0}
    async with Sink() as sink, upstream(sink.port, **patient) as up:
        sink.script.add(verb, stall())
        delivery = asyncio.create_task(up.deliver(outgoing()))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(1):
            await up.close()
            outcome = await delivery
    assert not isinstance(outcome, Taken)


async def test_probe_tells_what_is_wrong_and_keeps_nothing_open():
    async with Sink() as sink, upstream(sink.port) as up:
        assert await up.probe() is None
        await asyncio.sleep(0.05)
        assert sink.open == 0
        await sink.stop()
        assert f"127.0.0.1:{sink.port}" in (await up.probe() or "")


async def test_idle_connections_are_each_quit_in_their_own_time():
    async with Sink() as sink, upstream(sink.port, idle_s=0.3) as up:
        sink.script.add("DOT", late(0.05))
        await asyncio.gather(up.deliver(outgoing()), up.deliver(outgoing()))
        assert sink.open == 2
        await asyncio.sleep(0.2)
        await up.deliver(outgoing())
        await asyncio.sleep(0.2)
        assert sink.open == 1, "the one that was used meanwhile"
        await asyncio.sleep(0.3)
        assert sink.open == 0


async def test_a_place_that_comes_free_as_its_waiter_gives_up_is_not_lost():
    async with Sink() as sink, upstream(sink.port, connections=1, command_timeout_s=5.0) as up:
        for _ in range(20):
            first = asyncio.create_task(up.deliver(outgoing()))
            await asyncio.sleep(0)
            second = asyncio.create_task(up.deliver(outgoing()))
            first.add_done_callback(lambda _, waiting=second: waiting.cancel())
            await asyncio.wait([first, second])
        async with asyncio.timeout(3):
            assert isinstance(await up.deliver(outgoing()), Taken)
