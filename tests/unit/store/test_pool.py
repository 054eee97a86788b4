"""The URL of a store, and what it may not change."""

from __future__ import annotations

import pytest
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection

from relay.store.connections.pool import Pool
from relay.store.troubles import StoreUnusable


def connection_of(url: str):
    return Pool(url, 1.5).dialler()


def test_a_url_names_host_port_database_and_who_we_are():
    found = connection_of("redis://relay:p%40ss@store.example:7000/3")
    assert type(found) is Connection
    assert (found.host, found.port, found.db) == ("store.example", 7000, 3)
    assert (found.username, found.password) == ("relay", "p@ss")


def test_a_tls_url_verifies_with_the_authorities_it_names():
    found = connection_of("rediss://store.example?ssl_ca_certs=/etc/ca.pem")
    assert type(found) is SSLConnection
    assert (found.ca_certs, found.check_hostname) == ("/etc/ca.pem", True)


def test_a_unix_url_names_a_socket():
    found = connection_of("unix:///run/valkey/a%20b.sock")
    assert type(found) is UnixDomainSocketConnection
    assert found.path == "/run/valkey/a b.sock"


@pytest.mark.parametrize(
    "sneaky",
    [
        "retry_on_timeout=yes",
        "socket_timeout=900",
        "socket_connect_timeout=900",
        "protocol=3",
        "health_check_interval=1",
        "max_connections=1",
        "timeout=9",
    ],
)
def test_a_url_cannot_bring_retries_or_take_deadlines_away(sneaky):
    found = connection_of(f"redis://store.example?{sneaky}")
    assert found.retry.get_retries() == 0
    assert (found.retry_on_timeout, found.retry_on_error) == (False, [])
    assert (found.socket_connect_timeout, found.protocol) == (1.5, 2)
    assert (found.socket_timeout, found.health_check_interval) == (None, 0)


@pytest.mark.parametrize(
    "url",
    [
        "http://store",
        "store.example:6379",
        "",
        "redis://h?colour=red",
        "redis://h:port",
        "redis://h?db=x",
    ],
)
def test_a_url_that_makes_no_sense_is_refused_at_once(url):
    with pytest.raises(StoreUnusable, match="the URL of the store"):
        Pool(url, 1)
