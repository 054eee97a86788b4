"""What every `ports.ProviderCache` promises, and how the real one stands in the store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import count

import pytest
import pytest_asyncio

from relay.core.errors import StoreTrouble
from relay.core.providers import LEAST_TTL_S, STALE_S, MxFinding, MxKind
from relay.store.opening import line_to
from relay.store.shelves.provider_cache import RedisProviderCache
from tests.contract.server import bare_server
from tests.model.provider_cache import MemoryProviderCache

GOOGLE = MxFinding(MxKind.MX, ("aspmx.l.google.com", "alt1.aspmx.l.google.com"), 3600.0)
_numbers = count()


def fresh_domain() -> str:
    """One that no other test knows: tests share servers."""
    return f"n{next(_numbers)}.example"


def same(found: MxFinding, put: MxFinding) -> bool:
    """The same but for the moment that has passed."""
    return (found.kind, found.hosts) == (put.kind, put.hosts) and (
        put.ttl_s - 5 < found.ttl_s <= put.ttl_s
    )


@pytest_asyncio.fixture(params=("memory", "valkey", "redis"))
async def cache(request) -> AsyncIterator[object]:
    if request.param == "memory":
        yield MemoryProviderCache()
        return
    name = {"valkey": "valkey", "redis": "redis_server"}[request.param]
    line = line_to(request.getfixturevalue(name).url, 2.0)
    yield RedisProviderCache(line)
    await line.close()


@pytest_asyncio.fixture
async def real(valkey) -> AsyncIterator[RedisProviderCache]:
    line = line_to(valkey.url, 2.0)
    yield RedisProviderCache(line)
    await line.close()


async def test_what_was_never_put_is_not_there(cache):
    assert await cache.get([fresh_domain()]) == {}


async def test_asking_for_nothing_is_no_question(cache):
    assert await cache.get([]) == {}


@pytest.mark.parametrize(
    "finding",
    [
        GOOGLE,
        MxFinding(MxKind.MX, (), 600.0),
        MxFinding(MxKind.IMPLICIT, ("a.example",), 600.0),
        *(MxFinding(kind, (), 600.0) for kind in (MxKind.NULL, MxKind.NO_DOMAIN, MxKind.NO_HOST)),
        MxFinding(MxKind.MX, tuple(f"{'h' * 60}.{n:02}.example" for n in range(16)), 86_400.0),
    ],
    ids=lambda finding: f"{finding.kind}-{len(finding.hosts)}",
)
async def test_what_was_put_comes_back_with_what_is_left_of_its_time(cache, finding):
    domain = fresh_domain()
    await cache.put(domain, finding)
    found = await cache.get([domain])
    assert list(found) == [domain]
    assert same(found[domain], finding)


async def test_many_are_asked_for_at_once_and_those_that_are_there_come(cache):
    there, missing = fresh_domain(), fresh_domain()
    await cache.put(there, GOOGLE)
    domains = [missing, there, *(fresh_domain() for _ in range(1000))]
    assert set(await cache.get(domains)) == {there}


async def test_the_later_finding_replaces_the_earlier(cache):
    domain = fresh_domain()
    await cache.put(domain, GOOGLE)
    later = MxFinding(MxKind.NO_DOMAIN, (), LEAST_TTL_S)
    await cache.put(domain, later)
    assert same((await cache.get([domain]))[domain], later)


async def test_an_mx_is_kept_for_a_day_as_stale_and_the_rest_is_forgotten(cache):
    stale, gone = fresh_domain(), fresh_domain()
    await cache.put(stale, MxFinding(MxKind.MX, ("mx.example",), 0.02))
    await cache.put(gone, MxFinding(MxKind.NULL, (), 0.02))
    await asyncio.sleep(0.05)
    found = await cache.get([stale, gone])
    assert set(found) == {stale}
    assert found[stale].hosts == ("mx.example",)
    assert -5 < found[stale].ttl_s <= 0


async def test_a_domain_is_one_plain_string_that_expires_by_itself(real, raw):
    domain = fresh_domain()
    await real.put(domain, GOOGLE)
    key = f"wr1:mx:{domain}"
    assert raw.get(key) == "mx aspmx.l.google.com alt1.aspmx.l.google.com"
    assert 0 <= (GOOGLE.ttl_s + STALE_S) * 1000 - raw.pttl(key) < 5000


@pytest.mark.parametrize(
    "text", ["", " ", "mx2 a.example", "unknown", "unknown a.example", "{}", "\u00e9\n", "MX a"]
)
async def test_what_is_no_finding_is_not_there_and_harms_no_other(real, raw, text):
    odd, fine = fresh_domain(), fresh_domain()
    raw.set(f"wr1:mx:{odd}", text, px=10_000)
    await real.put(fine, GOOGLE)
    assert set(await real.get([odd, fine])) == {fine}


async def test_a_key_without_expiry_is_not_believed_for_ever(real, raw):
    domain = fresh_domain()
    raw.set(f"wr1:mx:{domain}", "mx mx.example")
    assert await real.get([domain]) == {}


async def test_a_key_of_another_type_is_trouble_and_nothing_else(real, raw):
    domain = fresh_domain()
    raw.sadd(f"wr1:mx:{domain}", "mx")
    with pytest.raises(StoreTrouble):
        await real.get([domain])
    assert await real.get([fresh_domain()]) == {}


async def test_more_hosts_than_are_looked_at_are_cut(real, raw):
    domain = fresh_domain()
    hosts = " ".join(f"h{n}.example" for n in range(1000))
    raw.set(f"wr1:mx:{domain}", f"mx {hosts}", px=10_000)
    assert len((await real.get([domain]))[domain].hosts) == 16


async def test_a_store_that_is_dumb_is_trouble_within_its_deadline():
    with bare_server() as server:
        line = line_to(server.url, 0.3)
        cache = RedisProviderCache(line)
        assert await cache.get([fresh_domain()]) == {}
        server.freeze()
        began = time.perf_counter()
        with pytest.raises(StoreTrouble):
            await cache.get([fresh_domain()])
        with pytest.raises(StoreTrouble):
            await cache.put(fresh_domain(), GOOGLE)
        assert time.perf_counter() - began < 1.5
        server.thaw()
        domain = fresh_domain()
        for _ in range(50):
            with suppress(StoreTrouble):
                await cache.put(domain, GOOGLE)
                break
            await asyncio.sleep(0.1)
        assert set(await cache.get([domain])) == {domain}
        await line.close()
