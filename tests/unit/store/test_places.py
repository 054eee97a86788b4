"""The URLs of stores of many servers, taken apart and put together for each server."""

from __future__ import annotations

import pytest

from relay.store.connections.places import Address, places_of
from relay.store.troubles import StoreUnusable


def test_the_url_of_one_server_is_left_alone():
    for url in ("redis://h:1/0", "rediss://h", "unix:///run/s"):
        assert places_of(url) is None


def test_a_cluster_names_its_seeds_and_every_node_is_reached_as_they_are():
    places = places_of("rediss+cluster://u:p%40ss@a:7000,[::1]:7001,c?ssl_ca_certs=/ca.pem")
    assert places.kind == "cluster"
    assert places.seeds == (Address("a", 7000), Address("::1", 7001), Address("c", 6379))
    url = places.url(Address("10.0.0.9", 7005))
    assert url == "rediss://u:p%40ss@10.0.0.9:7005?ssl_ca_certs=%2Fca.pem"
    assert places.url(Address("::2", 1)).startswith("rediss://u:p%40ss@[::2]:1?")


def test_sentinels_have_credentials_of_their_own_and_no_database():
    places = places_of(
        "redis+sentinel://u:p@a,b:1/my%2Dmaster?db=3&sentinel_username=s&sentinel_password=x%2Fy"
    )
    assert (places.name, places.seeds) == ("my-master", (Address("a", 26379), Address("b", 1)))
    assert places.url(Address("m", 6379)) == "redis://u:p@m:6379?db=3"
    assert places.sentinel_url(places.seeds[0]) == "redis://s:x%2Fy@a:26379"


def test_a_word_alone_before_the_servers_is_the_password():
    places = places_of("redis+sentinel://secret@a:1/m")
    assert places.url(Address("m", 2)) == "redis://:secret@m:2"
    assert places.sentinel_url(Address("a", 1)) == "redis://a:1"


@pytest.mark.parametrize("url", ["redis+cluster://", "redis+cluster://a:b", "redis+cluster://a,,b"])
def test_places_that_make_no_sense_are_told_at_once(url):
    with pytest.raises(StoreUnusable, match="URL of the store"):
        places_of(url)
