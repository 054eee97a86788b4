"""Durations, sizes, addresses and networks as people write them."""

from ipaddress import ip_network

import pytest

from relay.settings.addresses import Address, parse_address, parse_network
from relay.settings.problems import Wrong
from relay.settings.units import duration_text, parse_duration, parse_size, size_text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("30 s", 30),
        ("5 min", 300),
        ("2h", 7200),
        ("500ms", 0.5),
        ("1 day", 86400),
        ("3 days", 259200),
        ("1.5h", 5400),
        ("10 minutes", 600),
        ("1 second", 1),
        (" 7 sec ", 7),
    ],
)
def test_a_duration_has_a_unit(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["30", "", "s", "-5s", "5 parsecs", "5s 3", "1e3s", "0s", "0.4ms", "999999 days", "٣s", "5m"],
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(Wrong):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("25 MiB", 26214400),
        ("10MB", 10_000_000),
        ("4096", 4096),
        ("1 KiB", 1024),
        ("2 kB", 2000),
        ("1.5 GiB", 1610612736),
        ("7 bytes", 7),
        ("100B", 100),
    ],
)
def test_a_size_may_have_a_unit(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1", "5 XB", "0", "9999 GiB", "25 Mi"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(Wrong):
        parse_size(text)


@pytest.mark.parametrize("seconds", [0.25, 2.0, 30.0, 90.0, 300.0, 7200.0, 86400.0])
def test_a_duration_reads_back_as_it_was(seconds):
    assert parse_duration(duration_text(seconds)) == seconds


@pytest.mark.parametrize("size", [1, 1000, 1024, 26214400, 2**30])
def test_a_size_reads_back_as_it_was(size):
    assert parse_size(size_text(size)) == size


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:2525", Address("127.0.0.1", 2525)),
        ("[::1]:2525", Address("::1", 2525)),
        ("[0:0::1]:25", Address("::1", 25)),
        ("Relay_1.Example.NET.:25", Address("relay_1.example.net", 25)),
        ("localhost:65535", Address("localhost", 65535)),
        ("bücher.example:25", Address("xn--bcher-kva.example", 25)),
    ],
)
def test_an_address_is_a_host_and_a_port(text, address):
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "25",
        ":25",
        "::1:25",
        "a:b",
        "a:0",
        "a:65536",
        "[::1]",
        "[a]:25",
        "1.2.3:25",
        "a b:25",
        "a..b:25",
        "a:25:26",
        "[::1:25",
        "1.2.3.4.5:1",
        f"{'a' * 64}.example:25",
    ],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(Wrong):
        parse_address(text)


def test_a_single_address_is_a_network_of_one():
    assert parse_network("10.1.2.3") == ip_network("10.1.2.3/32")
