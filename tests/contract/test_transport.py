"""How a store is reached: TCP, TLS and a Unix socket, each with a password."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from relay.core.config import StoreConfig
from relay.core.errors import StoreTrouble
from relay.store import open_store
from tests.contract.world import HandClock, World, fresh_route, policy
from tests.harness.certs import Authority


@asynccontextmanager
async def world_at(url: str, tmp_path):
    clock = HandClock()
    store = await open_store(StoreConfig(url, timeout_s=2), tmp_path, clock)
    yield World(store, clock, fresh_route(policy()))
    await store.close()


async def test_a_store_over_tls_is_verified_with_the_authority_of_its_url(
    make_store, authority, tmp_path
):
    server = make_store(certificate=authority.issue("localhost"), authority=authority)
    async with world_at(server.url, tmp_path) as world:
        await world.send(3)
        assert (await world.standing()).sent == 3


async def test_a_store_whose_certificate_is_not_to_be_trusted_is_not_used(
    make_store, authority, tmp_path
):
    server = make_store(certificate=authority.issue("localhost"), authority=authority)
    other = Authority(tmp_path / "other")
    url = server.url.replace(str(authority.ca_file), str(other.ca_file))
    async with world_at(url, tmp_path) as world:
        with pytest.raises(StoreTrouble) as trouble:
            await world.reserve(1)
    assert "certificate" in str(trouble.value.__cause__).lower()


async def test_a_store_behind_a_unix_socket_with_a_password_is_reached(make_store, tmp_path):
    server = make_store(unix=True)
    async with world_at(server.url, tmp_path) as world:
        await world.granted(1)
