"""`core.providers`: who has a domain, and whose an MX host is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.providers import OTHER, Provider, ProviderTable, layered

BOTH = (".mail.protection.outlook.com", ".mx.microsoft")
TABLE = ProviderTable(
    (
        Provider("google", domains=("gmail.com",), mx=(".google.com",)),
        Provider("microsoft", domains=("live.com",), mx=(".olc.protection.outlook.com",)),
        Provider("microsoft365", mx=BOTH),
        Provider("outlook", mx=(".outlook.com",)),
        Provider("host", mx=("mx.google.com", "mx1.example")),
    )
)


@pytest.mark.parametrize(
    ("domain", "provider"),
    [("gmail.com", "google"), ("live.com", "microsoft"), ("a.gmail.com", None), ("", None)],
)
def test_a_domain_is_matched_exactly(domain, provider):
    assert TABLE.by_domain(domain) == provider


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("aspmx.l.google.com", "google"),
        ("google.com", None),
        ("evilgoogle.com", None),
        ("mx.google.com", "host"),
        ("a.mx.google.com", "google"),
        ("mx1.example", "host"),
        ("x.olc.protection.outlook.com", "microsoft"),
        ("x.mail.protection.outlook.com", "microsoft365"),
        ("x.protection.outlook.com", "outlook"),
        ("x.mx.microsoft", "microsoft365"),
        ("google.com.evil.example", None),
        ("", None),
        (".", None),
        ("...", None),
    ],
)
def test_of_the_patterns_that_a_host_matches_the_longest_wins(host, provider):
    assert TABLE.by_mx([host]) == provider


def test_of_several_hosts_the_longest_pattern_wins_and_names_its_host():
    hosts = ["mx.nobody.example", "a.outlook.com", "b.mail.protection.outlook.com"]
    provider, host, pattern = TABLE.match(hosts)
    assert pattern == ".mail.protection.outlook.com"
    assert (provider.name, host) == ("microsoft365", "b.mail.protection.outlook.com")
    assert TABLE.match([]) is None


def test_the_names_are_those_of_the_entries_and_other():
    assert TABLE.names == {"google", "microsoft", "microsoft365", "outlook", "host", OTHER}
    assert ProviderTable().names == {OTHER}


def test_a_later_layer_replaces_a_provider_and_takes_what_others_had():
    below = [Provider("a", domains=("a1.example", "a2.example")), Provider("b", mx=(".b.example",))]
    above = [Provider("a", domains=("a3.example",)), Provider("c", mx=(".b.example",))]
    table = layered([below, above])
    assert [table.by_domain(f"a{n}.example") for n in (1, 2, 3)] == [None, None, "a"]
    assert table.by_mx(["mx.b.example"]) == "c"
    assert "b" in table.names


def test_a_provider_that_extends_keeps_what_is_below_and_each_domain_knows_its_file():
    below = Provider("a", domains=("a1.example",), mx=(".a.example",), path="below.yaml")
    above = Provider("a", domains=("a2.example",), extends=True, path="above.yaml")
    table = layered([[below], [above]])
    assert [table.claim(f"a{n}.example").path for n in (1, 2)] == ["below.yaml", "above.yaml"]
    assert table.by_mx(["mx.a.example"]) == "a"
    assert (
        layered([[below], [above], [Provider("a", mx=(".x.example",))]]).claim("a1.example") is None
    )


def test_tables_of_the_same_entries_are_equal_and_others_are_not():
    assert ProviderTable(TABLE.entries) == TABLE
    assert ProviderTable(TABLE.entries[1:]) != TABLE


labels = st.lists(st.sampled_from(["a", "b", "mx", "example"]), min_size=1, max_size=5)
hosts = labels.map(".".join)


@given(st.lists(st.tuples(hosts, st.booleans()), max_size=8), st.lists(hosts, max_size=4))
def test_matching_is_what_comparing_every_host_with_every_pattern_gives(patterns, asked):
    mx = [f".{host}" if is_suffix else host for host, is_suffix in patterns]
    table = ProviderTable(tuple(Provider(f"p{n}", mx=(one,)) for n, one in enumerate(mx)))
    matching = [
        (len(one), n)
        for n, one in enumerate(mx)
        for host in asked
        if (host.endswith(one) and len(host) > len(one) if one[0] == "." else host == one)
    ]
    found = table.match(asked)
    assert (found is None) == (not matching)
    if found:
        assert len(found[0].mx[0]) == max(length for length, _ in matching)
