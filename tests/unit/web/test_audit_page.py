"""What the audit page makes of an entry: words for people, and only what is not as it was."""

from __future__ import annotations

from datetime import UTC, datetime

from relay.core.tenants.audit import AuditEntry
from relay.web.dashboard.audit_page import changes_of

NOW = datetime(2026, 3, 2, tzinfo=UTC)
ROUTE = {"upstream": "outbound", "policy": "ramp"}


def changes(before, after):
    return changes_of(AuditEntry("id", NOW, "olga", "a", "acme", "s", "", before, after))


def test_a_new_domain_is_told_in_words_and_without_what_it_has_not():
    after = {"state": "pending", "routes": [ROUTE], "envelope_domains": [], "verified_by": ""}
    assert changes({}, after) == [
        "state – → pending",
        "routes – → upstream outbound policy ramp",
    ]


def test_several_routes_and_scopes_are_listed():
    first = "upstream outbound policy ramp"
    over = {"upstream": "spare", "policy": "over"}
    assert changes({"routes": [ROUTE], "scopes": ["read"]}, {"routes": [ROUTE, over]}) == [
        f"routes {first} → {first}, upstream spare policy over",
        "scopes read → –",
    ]


def test_no_cap_is_unlimited_and_not_nothing():
    assert changes({"daily_limit": 100}, {"daily_limit": None}) == ["daily limit 100 → unlimited"]
    assert changes({}, {"daily_limit": 50}) == ["daily limit – → 50"]


def test_what_stays_is_not_told():
    assert changes({"state": "paused", "reason": ""}, {"state": "paused", "reason": None}) == []
