"""The page of the policies: what it says of a policy is what `plan` says."""

from __future__ import annotations

import re
from html import unescape

from tests.conftest import MakeRelay
from tests.harness.relay_config import calendar
from tests.harness.visitor import Visitor

PASSWORD = "correct horse battery staple"


def test_what_if_begins_on_the_date_in_the_policys_zone(make_relay: MakeRelay) -> None:
    """These two zones are 25 hours apart, and never share a date."""
    zones = {"east": "Pacific/Kiritimati", "west": "Pacific/Pago_Pago"}
    policies = {
        name: calendar(100, window={"kind": "calendar-day", "timezone": zone})
        for name, zone in zones.items()
    }
    relay = make_relay(api=True, policies={"ramp": calendar(100), **policies})
    relay.start()
    assert relay.cli("user", "add", "olga", "--operator", stdin=f"{PASSWORD}\n").exit == 0
    olga = Visitor(relay.config.web_port)
    assert olga.sign_in("olga", PASSWORD).status == 303
    begins = {}
    for name in zones:
        shown = olga.get(f"/dashboard/policies?policy={name}&volume=100").text
        [begins[name]] = re.findall(r'class="nowrap">0: ([0-9-]{10})<', shown)
    assert begins["west"] < begins["east"]


def test_what_if_knows_the_walls_of_providers_as_plan_does(make_relay: MakeRelay) -> None:
    walled = calendar(100, providers={"google": {"cap": 10}}, source="")
    relay = make_relay(api=True, policies={"ramp": calendar(100), "walled": walled})
    relay.start()
    assert relay.cli("user", "add", "olga", "--operator", stdin=f"{PASSWORD}\n").exit == 0
    olga = Visitor(relay.config.web_port)
    assert olga.sign_in("olga", PASSWORD).status == 303
    for policy in ("ramp", "walled"):
        shown = unescape(olga.get(f"/dashboard/policies?policy={policy}&volume=100").text)
        says = relay.cli("plan", policy, "--volume", "100", "--json").json
        for each in (*says["says"], *says["notes"]):
            assert each.partition("; say --mix")[0] in shown
        assert ("Source:" in shown) == (policy == "ramp")  # the other names none
