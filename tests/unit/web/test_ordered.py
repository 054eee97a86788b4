"""The order in which lists tell routes: as if all were sorted and filtered for each page."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relay.core.policy.policy import EXEMPT
from relay.core.tenants.tenancy import Route, RouteId, SendingDomain, Tenant, directory_of
from relay.web.ordered import Ordered

names = st.sampled_from(("a.example", "a-b.example", "ab.example", "a.b.example", "z.example", "a"))
tenants = st.sampled_from(("acme", "globex"))
texts = st.text(alphabet="abz.-@e", max_size=4)


def directory(domains):
    made: dict[str, list[SendingDomain]] = {"acme": [], "globex": []}
    for name, (tenant, upstreams) in domains.items():
        routes = tuple(Route(RouteId(name, each), EXEMPT, n) for n, each in enumerate(upstreams))
        made[tenant].append(SendingDomain(name, tenant, routes))
    return directory_of([Tenant(name, domains=tuple(found)) for name, found in made.items()])


def owner(made, route):
    return made.domains[route.id.domain].tenant


@given(
    st.dictionaries(
        names,
        st.tuples(tenants, st.lists(st.sampled_from("xyz"), min_size=1, max_size=3, unique=True)),
    ),
    st.none() | tenants | st.just("nobody"),
    texts,
    st.none() | texts | st.sampled_from(("a.example@x", "ab.example@y")),
)
def test_it_is_that_of_all_routes_sorted_and_filtered(domains, tenant, prefix, after):
    made = directory(domains)
    wanted = [
        each
        for each in sorted(made.routes(), key=lambda one: str(one.id))
        if tenant in {None, owner(made, each)}
        and each.id.domain.startswith(prefix)
        and (after is None or str(each.id) > after)
    ]
    assert list(Ordered().routes(made, tenant, prefix, after)) == wanted
    shown = Ordered().shown(made, tenant)
    mine = [each for each in made.routes() if tenant in {None, owner(made, each)}]
    assert list(shown.routes) == sorted(mine, key=lambda one: str(one.id))
    assert list(shown.tenants) == sorted({owner(made, each) for each in mine})
    assert list(shown.policies) == sorted({each.policy.name for each in mine})


def test_another_directory_is_put_in_order_anew():
    ordered = Ordered()
    one = directory({"b.example": ("acme", "x")})
    assert [str(each.id) for each in ordered.routes(one, None, "", None)] == ["b.example@x"]
    two = directory({"a.example": ("acme", "x"), "b.example": ("globex", "x")})
    assert len(list(ordered.routes(two, None, "", None))) == 2
    assert len(list(ordered.routes(two, "acme", "", None))) == 1
