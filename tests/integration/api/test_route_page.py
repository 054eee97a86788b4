"""The page of a route: what happened to its mail lately."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import MakeRelay
from tests.harness.clients import send_smtplib
from tests.harness.clock import MovableClock
from tests.harness.relay_config import DOMAIN, calendar
from tests.harness.visitor import Visitor
from tests.harness.waiting import until

PASSWORD = "correct horse battery staple"


def test_what_is_older_than_two_weeks_is_not_recent(make_relay: MakeRelay, tmp_path: Path) -> None:
    clock = MovableClock(tmp_path / "clock")
    relay = make_relay(clock=clock, api=True, policies={"ramp": calendar(1)})
    relay.start()
    assert relay.cli("user", "add", "olga", "--operator", stdin=f"{PASSWORD}\n").exit == 0
    olga = Visitor(relay.config.web_port)
    assert olga.sign_in("olga", PASSWORD).status == 303

    def page_with(told: str) -> str:
        def shown() -> str:
            text = olga.get(f"/dashboard/warmup/{DOMAIN}").text
            return text if told in text else ""

        return until(shown, "the page to tell")

    sent = [send_smtplib(relay.port, f"a@{DOMAIN}", "ann@example.org").code for _ in range(2)]
    assert sent == [250, 451]
    page_with("(day 0, ramp)")
    clock.move(days=13)
    sent = [send_smtplib(relay.port, f"a@{DOMAIN}", "ann@example.org").code for _ in range(2)]
    assert sent == [250, 451]
    assert "(day 0, ramp)" in page_with("(day 13, ramp)")
    clock.move(days=2)
    assert "(day 0, ramp)" not in page_with("(day 13, ramp)")
