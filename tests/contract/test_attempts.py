"""Earlier attempts at messages that are only known after their quota is reserved (rule 3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from relay.core.quota.reservation import Granted, Mark, Seen, Verdict


async def test_attempts_tells_of_each_message_what_reserve_would_have_found(world):
    taken = await world.send(1, "fa", "i.1")
    await world.settle(await world.granted(1, "fa", "i.2", anew=True), Verdict.SENT)
    await world.store.left(await world.granted(1, "fb", "i.3"))
    await world.store.left(taken)
    domain, now = world.route.id.domain, world.clock.now()

    found = await world.store.attempts(domain, ["fb", "none", "fa"], "", now)

    assert found == [{"i.3": Mark.LEFT}, {}, {"i.1": Mark.GONE, "i.2": Mark.TAKEN}]
    later = now + timedelta(days=1)
    assert await world.store.attempts(domain, ["fb"], "", later) == [{}]
    assert await world.store.attempts(domain, [], "", now) == []


async def test_a_reservation_may_learn_its_message_after_it_was_made(world):
    reservation = replace(await world.granted(1, None, "i.1"), fingerprint="late")
    await world.settle(reservation, Verdict.SENT)
    assert isinstance(await world.reserve(1, "late", "i.2"), Seen)
    await world.store.heard(reservation)
    assert isinstance(await world.reserve(1, "late", "i.2"), Granted)
