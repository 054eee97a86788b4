"""What makes messages one campaign (`sticky`), and which routes a domain's mail may walk."""

from dataclasses import replace

import pytest

from relay.core.mail.classify import classify
from relay.core.policy.policy import EXEMPT, Excess, Policy, Sticky
from relay.core.policy.ramp import Advance, Ramp, Tier
from relay.core.tenants.tenancy import Route, RouteId, Tenant, directory_of
from tests.corpus import DOMAIN
from tests.corpus.parts import with_fields
from tests.corpus.submissions import ACME, sending_domain, submission

NEW = Policy("new", "", "", Ramp(Advance.CALENDAR_DAYS, (Tier(0, 50),)), excess=Excess.OVERFLOW)
STICKY = Sticky("feedback-id", 3600)


def campaign(*fields, sticky=STICKY, last=EXEMPT):
    """The campaign of a message with `fields`, of a domain with two routes."""
    first = replace(NEW, sticky=sticky)
    routes = [Route(RouteId(DOMAIN, "a"), first), Route(RouteId(DOMAIN, "b"), last, 1)]
    domain = replace(sending_domain(DOMAIN), routes=tuple(routes))
    tenant = Tenant(ACME.name, domains=(domain,))
    content = with_fields(DOMAIN, *fields)
    return classify(submission(content, tenant=tenant), directory_of([tenant])).campaign


def test_one_value_is_one_campaign_and_only_a_hash_of_it_is_kept():
    found = campaign(b"Feedback-ID: spring:acme:news")
    assert found == campaign(b"feedback-ID:\r\n spring:acme:news  ")
    assert len(found.digest) == 64
    assert "spring" not in found.digest
    assert (found.keep_s, found.upstreams) == (3600, ("a", "b"))
    assert found.digest != campaign(b"Feedback-ID: summer:acme:news").digest


@pytest.mark.parametrize(
    "fields", [(), (b"Feedback-ID:",), (b"Feedback-ID:  ",), (b"X-Campaign: spring",)]
)
def test_without_a_value_a_message_is_of_no_campaign(fields):
    assert campaign(*fields) is None


def test_of_several_fields_the_first_that_says_something_counts():
    several = campaign(b"Feedback-ID: ", b"Feedback-ID: one", b"Feedback-ID: two")
    assert several == campaign(b"Feedback-ID: one")


def test_a_policy_that_is_not_sticky_knows_no_campaign():
    assert campaign(b"Feedback-ID: spring", sticky=None) is None
    assert campaign(b"Feedback-ID: x", sticky=None, last=replace(NEW, sticky=STICKY)) is None


def test_a_field_of_the_relays_own_counts_and_is_not_sent():
    tenant_domain = replace(
        sending_domain(DOMAIN),
        routes=(Route(RouteId(DOMAIN, "a"), replace(NEW, sticky=Sticky("x-warmup-campaign", 60))),),
    )
    tenant = Tenant(ACME.name, domains=(tenant_domain,))
    content = with_fields(DOMAIN, b"X-Warmup-Campaign: spring")
    found = classify(submission(content, tenant=tenant), directory_of([tenant]))
    assert found.campaign is not None
    assert b"warmup" not in found.header.lower()


@pytest.mark.parametrize(
    ("policies", "walked"),
    [([EXEMPT], 1), ([NEW], 1), ([NEW, EXEMPT], 2), ([NEW, NEW], 2), ([EXEMPT, NEW, NEW], 1)],
)
def test_a_walk_ends_at_the_first_route_that_does_not_overflow(policies, walked):
    routes = tuple(Route(RouteId(DOMAIN, str(n)), each, n) for n, each in enumerate(policies))
    assert replace(sending_domain(DOMAIN), routes=routes).walk == routes[:walked]


def test_a_route_is_called_by_its_domain_and_the_others_by_their_upstream_too():
    assert Route(RouteId(DOMAIN, "new"), NEW).name == DOMAIN
    assert Route(RouteId(DOMAIN, "warm"), EXEMPT, 1).name == f"{DOMAIN}@warm"
