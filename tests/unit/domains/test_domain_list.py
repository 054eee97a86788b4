"""The list of the sending domains: of which it consists, and what a page of it costs."""

from types import SimpleNamespace

import pytest

from relay.core.tenants.added import AddedDomain
from relay.core.tenants.tenancy import SendingDomain
from relay.domains import views as domain_views
from relay.domains.added import DomainDesk
from relay.ports.domains import By, DomainState, Origin, Which
from tests.unit.edge.recording import NOW

OLGA, TINA = By("olga", None), By("tina", "acme")
CONFIG = {f"c{n}.example": "acme" if n % 2 else "globex" for n in range(1000)}
ADDED = {"a.example": "acme", "z.example": "globex", "c1.example": "acme"}


def _added(name: str, tenant: str) -> AddedDomain:
    told = {"routes": (), "token": "t", "created_at": NOW, "created_by": "x", "mark": "m"}
    return AddedDomain(name=name, tenant=tenant, **told)


@pytest.fixture
def desk():
    domains = {name: SendingDomain(name, tenant, ()) for name, tenant in CONFIG.items()}
    settings = SimpleNamespace(
        base=SimpleNamespace(directory=SimpleNamespace(domains=domains)),
        added={name: _added(name, tenant) for name, tenant in ADDED.items()},
        flaws={},
    )
    return DomainDesk(settings, *[None] * 7)


@pytest.mark.parametrize(
    ("by", "which", "count", "first"),
    [
        (OLGA, Which(), 1002, "a.example"),
        (TINA, Which(), 501, "a.example"),
        (TINA, Which(tenant="globex"), 0, None),
        (OLGA, Which(tenant="globex"), 501, "c0.example"),
        (OLGA, Which(prefix="c99"), 11, "c99.example"),
        (OLGA, Which(part="99."), 10, "c199.example"),
        (OLGA, Which(after="c998.example"), 2, "c999.example"),
        (OLGA, Which(source=Origin.API), 2, "a.example"),
        (OLGA, Which(source=Origin.CONFIG), 1000, "c0.example"),
        (OLGA, Which(state=DomainState.PENDING), 2, "a.example"),
        (OLGA, Which(state=DomainState.ACTIVE), 1000, "c0.example"),
        (OLGA, Which(state=DomainState.BROKEN), 0, None),
    ],
)
def test_the_list_has_what_is_asked_for_by_name(desk, by, which, count, first):
    found = desk.all(by, which)
    names = [view.name for view in found]
    assert (len(found), names[0] if names else None) == (count, first)
    assert names == sorted(names)


def test_a_page_puts_into_words_what_it_shows_and_no_more(desk, monkeypatch):
    made, real = [], domain_views.view_of_config
    monkeypatch.setattr(domain_views, "view_of_config", lambda d: made.append(d) or real(d))
    page = desk.all(OLGA)[100:150]
    assert (len(page), made) == (50, [])
    assert [view.tenant for view in page] == [CONFIG[view.name] for view in page]
    assert len(made) == 100
