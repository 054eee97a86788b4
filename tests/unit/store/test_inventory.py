"""What a backup knows of a store before it reads it: every key once, domain by domain."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from relay.core.tenants.tenancy import RouteId
from relay.store import keys
from relay.store.inventory import Inventory


def names_of(domain: str, upstream: str = "out") -> list[str]:
    route = RouteId(domain, upstream)
    return [keys.route(route), keys.window(route, "2026-03-01"), keys.message(domain, "f1")]


def test_what_is_counted_with_a_key_is_of_its_domain():
    found = Inventory()
    found.add(names_of("a.example"))

    ((counted, messages),) = found.domains()

    route = RouteId("a.example", "out")
    assert counted == sorted(
        {keys.window(route, "2026-03-01"), *keys.counted_with(keys.route(route))}
    )
    assert messages == [keys.message("a.example", "f1")]


def test_a_domain_of_which_only_messages_are_left_comes_out_too():
    found = Inventory()
    found.add([keys.message("b.example", "f1"), keys.message("b.example", "f0")])

    assert [*found.domains()] == [
        ([], [keys.message("b.example", "f0"), keys.message("b.example", "f1")])
    ]


@given(
    st.permutations([*names_of("a.example"), *names_of("b.example"), *names_of("b.example", "x")])
)
def test_the_order_in_which_keys_are_found_does_not_matter(names):
    first, second = Inventory(), Inventory()
    first.add(sorted(names))
    second.add([*names, *names[:3]])

    assert sorted(first.domains()) == sorted(second.domains())


def test_a_domain_more_costs_its_name_and_little_else():
    found = Inventory()
    tracemalloc.start()
    try:
        for number in range(20_000):
            found.add(names_of(f"d{number}.example")[:2])
        each = tracemalloc.get_traced_memory()[0] / 20_000
    finally:
        tracemalloc.stop()

    assert each < 200
