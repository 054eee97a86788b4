"""Added domains join those of the config: which are in force, which are withheld, who wins."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from relay.core.domain import MAX_DOMAIN
from relay.core.errors import DomainTrouble, NotPermitted, NotVerified, StoreTrouble
from relay.core.mail.classify import check_reverse_path, classify
from relay.core.policy.policy import EXEMPT, MailClass
from relay.core.tenants.added import (
    MOST_NAME,
    AddedDomain,
    BadWish,
    Offer,
    RouteWish,
    check_added_name,
    check_envelope_domains,
    joined,
)
from relay.core.tenants.tenancy import Route, RouteId, SendingDomain, Tenant, directory_of
from tests.corpus.submissions import submission

NOW = datetime(2026, 3, 10, tzinfo=UTC)
OFFER = Offer(frozenset({"outbound"}), {})


def configured(name: str, tenant: str = "acme", *envelope: str) -> SendingDomain:
    routes = (Route(RouteId(name, "outbound"), EXEMPT),)
    return SendingDomain(name, tenant, routes, frozenset(envelope))


ACME = Tenant("acme", domains=(configured("news.acme.example"),))
GLOBEX = Tenant("globex", domains=(configured("globex.example", "globex"),))
BASE = directory_of([ACME, GLOBEX])


def added(name: str = "new.acme.example", **more) -> AddedDomain:
    wish = (RouteWish("outbound", "exempt"),)
    made = AddedDomain(name, "acme", wish, "token", NOW, "a test", proven_at=NOW)
    return replace(made, **more)


def test_a_proven_domain_is_in_force_and_the_config_stays_as_it_is():
    found = joined(BASE, [added(envelope_domains=("b.new.acme.example",))], OFFER)
    directory = found.directory
    assert directory.domains["new.acme.example"].tenant == "acme"
    assert directory.may_send_as(ACME, "new.acme.example")
    assert directory.may_send_as(ACME, "b.new.acme.example")
    assert not directory.may_send_as(GLOBEX, "new.acme.example")
    assert directory.route_named("new.acme.example").policy is EXEMPT
    assert set(BASE.domains) == {"news.acme.example", "globex.example"}
    assert not BASE.may_send_as(ACME, "new.acme.example")
    assert found.flaws == {}


def test_a_pending_domain_is_withheld_and_its_tenant_alone_is_told_why():
    directory = joined(BASE, [added(proven_at=None)], OFFER).directory
    assert "new.acme.example" not in directory.domains
    with pytest.raises(NotVerified, match="publish its TXT record"):
        check_reverse_path(ACME, "a@new.acme.example", directory)
    with pytest.raises(NotPermitted, match="is not a domain that you may send from"):
        check_reverse_path(GLOBEX, "a@new.acme.example", directory)
    with pytest.raises(NotVerified):
        classify(_mail("new.acme.example", ACME), directory)
    with pytest.raises(NotPermitted, match="is not a domain that you may send from"):
        classify(_mail("new.acme.example", GLOBEX), directory)


def test_the_config_wins_and_says_so():
    found = joined(BASE, [added("news.acme.example", tenant="globex")], OFFER)
    assert found.directory.domains["news.acme.example"].tenant == "acme"
    assert "the config names it too" in found.flaws["news.acme.example"]


@pytest.mark.parametrize(
    "routes", [(RouteWish("gone", "exempt"),), (RouteWish("outbound", "gone"),), ()]
)
def test_routes_that_are_no_more_withhold_their_domain_alone_and_defer_its_mail(routes):
    found = joined(BASE, [added(routes=routes), added("fine.acme.example")], OFFER)
    directory = found.directory
    assert list(found.flaws) == ["new.acme.example"]
    assert "fine.acme.example" in directory.domains
    check_reverse_path(ACME, "a@new.acme.example", directory)
    with pytest.raises(DomainTrouble):
        classify(_mail("new.acme.example", ACME), directory)


def test_a_tenant_that_is_no_more_has_no_domains():
    found = joined(BASE, [added(tenant="gone")], OFFER)
    assert found.directory.domains == BASE.domains
    assert "its tenant gone is not in the config" in found.flaws["new.acme.example"]


def test_while_nobody_knows_what_was_added_an_unknown_domain_is_deferred_and_a_known_one_goes():
    directory = replace(BASE, is_whole=False)
    check_reverse_path(ACME, "a@new.acme.example", directory)
    with pytest.raises(StoreTrouble):
        classify(_mail("new.acme.example", ACME), directory)
    assert classify(_mail("news.acme.example", ACME), directory).domain.name == "news.acme.example"
    with pytest.raises(NotPermitted):
        classify(_mail("globex.example", ACME), directory)


def test_an_envelope_domain_that_the_config_gives_to_another_is_left_out():
    name = "globex.example"
    one = added("example", envelope_domains=(name, "b.example"))
    directory = joined(BASE, [one], OFFER).directory
    assert not directory.may_send_as(ACME, name)
    assert directory.may_send_as(ACME, "b.example")
    with pytest.raises(BadWish, match="a sending domain of its own"):
        check_envelope_domains(one, BASE)


def test_the_class_of_a_domain_counts_after_header_and_credential():
    one = added(mail_class=MailClass.TRANSACTIONAL)
    directory = joined(BASE, [one], OFFER).directory
    mail = _mail("new.acme.example", ACME)
    assert classify(mail, directory).mail_class is MailClass.TRANSACTIONAL
    bought = replace(mail, client=replace(mail.client, mail_class=MailClass.MARKETING))
    assert classify(bought, directory).mail_class is MailClass.MARKETING


@pytest.mark.parametrize("text", ["", "example", "a b", "-x.example", "1.2.3.4", "a..b", "x" * 300])
def test_what_is_no_name_of_a_sending_domain_is_refused(text):
    with pytest.raises(BadWish) as caught:
        check_added_name(text)
    assert caught.value.where == "name"


def test_a_name_leaves_room_for_the_names_of_its_records():
    name = ".".join(["a" * 63] * 3) + ".example.com"
    longest = f"{'b' * (MOST_NAME - len(name) - 1)}.{name}"
    assert check_added_name(longest) == longest
    assert len(f"wr012345-ed25519._domainkey.{longest}") <= MAX_DOMAIN
    with pytest.raises(BadWish, match="leave no room"):
        check_added_name(f"b{longest}")


def _mail(domain: str, tenant: Tenant):
    content = f"From: a@{domain}\r\nSubject: s\r\n\r\nhello\r\n".encode()
    return submission(content, tenant=tenant)
