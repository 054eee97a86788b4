"""Scopes: what each allows, and which go together."""

from datetime import timedelta

import pytest

from relay.core.tenants.access import ApiToken, BadGrant, Scope, check_grant
from tests.contract.world import NOON

EVERY = set(Scope)
ALLOWS = {
    Scope.READ: {Scope.READ},
    Scope.SEND: {Scope.SEND},
    Scope.MANAGE: {Scope.READ, Scope.MANAGE},
    Scope.OPERATOR: {Scope.READ, Scope.MANAGE, Scope.OPERATOR},
}


def token(*scopes, tenant="acme", **more):
    return ApiToken("id", tenant, frozenset(scopes), "hash", NOON, **more)


@pytest.mark.parametrize("scope", Scope)
def test_a_scope_allows_itself_and_what_it_includes_and_nothing_else(scope):
    assert {each for each in EVERY if token(scope).may(each)} == ALLOWS[scope]


def test_a_token_sees_its_own_tenant_and_an_operators_sees_all():
    assert token(Scope.READ).sees("acme")
    assert not token(Scope.MANAGE).sees("globex")
    assert token(Scope.OPERATOR, tenant=None).sees("globex")


def test_a_token_lives_until_the_instant_at_which_it_expires():
    held = token(Scope.READ, expires_at=NOON)
    assert held.is_live(NOON - timedelta(milliseconds=1))
    assert not held.is_live(NOON)
    assert token(Scope.READ).is_live(NOON + timedelta(days=10_000))


@pytest.mark.parametrize(
    ("tenant", "scopes"),
    [
        ("acme", set()),
        (None, {Scope.READ}),
        ("acme", {Scope.OPERATOR}),
        (None, {Scope.OPERATOR, Scope.SEND}),
    ],
)
def test_scopes_that_do_not_go_with_the_tenant_are_refused(tenant, scopes):
    with pytest.raises(BadGrant):
        check_grant(tenant, frozenset(scopes))


def test_a_token_does_not_show_its_hash():
    assert "hash" not in repr(token(Scope.READ))
