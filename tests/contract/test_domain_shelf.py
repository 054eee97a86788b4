"""Added domains in a real store: a name is given once, changes do not cross, a limit holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest_asyncio

from relay.core.policy.policy import MailClass
from relay.core.tenants.added import AddedDomain, RouteWish
from relay.core.tenants.tenancy import SealedKey
from relay.ports.domains import Kept, Unreadable
from relay.store import calls, keys
from relay.store.opening import line_to
from relay.store.shelves.domains import RedisDomainShelf
from tests.contract.world import NOON

_numbers = count()


@pytest_asyncio.fixture(params=("valkey", "redis_server", "cluster"))
async def shelf(request) -> AsyncIterator[RedisDomainShelf]:
    line = line_to(request.getfixturevalue(request.param).url, 2.0)
    yield RedisDomainShelf(line)
    await line.close()


def domain(**more) -> AddedDomain:
    number = next(_numbers)
    made = AddedDomain(
        name=f"a{number}.shelf.example",
        tenant=f"t{number}",
        routes=(RouteWish("outbound", "ramp"), RouteWish("spare", "exempt")),
        token="token",
        created_at=NOON,
        created_by="token x",
        envelope_domains=(f"b.a{number}.shelf.example",),
        mail_class=MailClass.TRANSACTIONAL,
        dkim=(SealedKey("s1", "v=DKIM1; k=rsa; p=x", "a1:sealed"),),
        proven_at=NOON + timedelta(hours=1),
        proven_by="the TXT record",
        mark=f"mark{number}",
    )
    return replace(made, **more)


async def test_what_is_kept_is_what_comes_back(shelf):
    one, bare = domain(), domain(mail_class=None, proven_at=None, proven_by="", dkim=())
    for each in (one, bare):
        assert await shelf.put(each, instead=None, most=9) is Kept.DONE
        assert await shelf.get(each.name) == each
        assert (await shelf.marks())[each.name] == each.mark
    both = await shelf.some([one.name, bare.name, "nobody.example"])
    assert both == {one.name: one, bare.name: bare}
    assert await shelf.get("nobody.example") is None


async def test_a_name_is_given_once_and_said_twice_it_stays(shelf):
    one = domain()
    assert await shelf.put(one, instead=None, most=1) is Kept.DONE
    assert await shelf.put(one, instead=None, most=1) is Kept.DONE
    other = replace(one, tenant="other", mark="m2")
    assert await shelf.put(other, instead=None, most=9) is Kept.TAKEN
    assert await shelf.get(one.name) == one


async def test_of_two_changes_at_once_one_is_stale(shelf):
    one = domain()
    await shelf.put(one, instead=None, most=1)
    first, second = (replace(one, proven_by=text, mark=f"{one.mark}-{text}") for text in "ab")
    done = await asyncio.gather(*(shelf.put(e, instead=one.mark, most=1) for e in (first, second)))
    assert sorted(done) == [Kept.DONE, Kept.STALE]
    held = await shelf.get(one.name)
    assert held in {first, second}
    assert not await shelf.remove(one)
    assert await shelf.remove(held)
    assert await shelf.get(one.name) is None
    assert await shelf.put(replace(held, mark="m9"), instead=held.mark, most=1) is Kept.STALE


async def test_a_tenant_has_so_many_and_no_more_and_a_removed_one_makes_room(shelf):
    first = domain()
    more = [domain(tenant=first.tenant) for _ in range(5)]
    done = await asyncio.gather(*(shelf.put(e, instead=None, most=3) for e in (first, *more)))
    assert (done.count(Kept.DONE), done.count(Kept.FULL)) == (3, 3)
    kept = [e for e, how in zip((first, *more), done, strict=True) if how is Kept.DONE]
    assert await shelf.remove(kept[0])
    assert await shelf.put(domain(tenant=first.tenant), instead=None, most=3) is Kept.DONE
    assert await shelf.put(domain(tenant=first.tenant), instead=None, most=3) is Kept.FULL


async def test_the_edition_is_another_one_after_every_change(shelf):
    seen, one = [await shelf.edition()], domain()
    await shelf.put(one, instead=None, most=1)
    seen.append(await shelf.edition())
    after = replace(one, mark=f"{one.mark}x")
    await shelf.put(after, instead=one.mark, most=1)
    seen.append(await shelf.edition())
    await shelf.remove(after)
    seen.append(await shelf.edition())
    assert len(set(seen)) == 4
    await shelf.put(replace(one, mark="late"), instead="other", most=1)
    assert await shelf.edition() == seen[-1], "what is refused is no change"


async def test_a_pause_makes_another_edition_and_no_mark(shelf):
    before = await shelf.marks()
    await shelf._line.insist(calls.tell_of_pause("paused"))
    assert await shelf.edition() == "paused"
    assert await shelf.marks() == before


async def test_a_record_that_is_not_ours_is_told_apart_alone(shelf, valkey):
    line = line_to(valkey.url, 2.0)
    own, one = RedisDomainShelf(line), domain()
    await own.put(one, instead=None, most=1)
    with valkey.client() as raw:
        good = raw.hget(keys.DOMAINS, one.name)
        wrong = ("{", "[]", "{}", good.replace('"version": 1', '"version": 2'), "null",
                 good.replace('"transactional"', '"loud"'), good.replace('"routes": [[', '"routes": [['  '"x"], ['))  # fmt: skip
        for number, text in enumerate(wrong):
            raw.hset(keys.DOMAINS, f"w{number}.shelf.example", text)
    names = [f"w{number}.shelf.example" for number in range(len(wrong))]
    found = await own.some([one.name, *names])
    assert found[one.name] == one
    assert all(isinstance(found[name], Unreadable) for name in names), found
    assert await own.get(names[0]) is None
    await line.close()
