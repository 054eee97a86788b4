"""Real mail clients pointed at the relay: up to the cap it takes mail, then it defers."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import MakeRelay
from tests.harness.arrived import arrived
from tests.harness.clients import (
    Answer,
    send_django,
    send_msmtp,
    send_nodemailer,
    send_smtplib,
    send_swaks,
)
from tests.harness.relay_config import UNLIMITED, calendar
from tests.harness.waiting import until

CAP = 3
SENDER = "news@news.acme.example"
DEFERRAL = re.compile(
    r"4\.7\.1 news\.acme\.example temporarily rate limited by warm-up: 3 of 3 sent today "
    r"\(day 0, ramp\); next sends (\d{4}-\d\d-\d\d)T00:00:00Z; warmed (\d{4}-\d\d-\d\d) "
    r"\[([A-Za-z0-9._-]+)\]"
)
Send = Callable[[int, str, str], Answer]


@pytest.fixture(params=["smtplib", "swaks", "msmtp", "nodemailer", "django"])
def send(request: pytest.FixtureRequest, tmp_path: Path) -> Send:
    """One client, as a function of port, sender and recipient."""
    senders: dict[str, Send] = {
        "smtplib": send_smtplib,
        "swaks": send_swaks,
        "msmtp": lambda port, sender, to: send_msmtp(port, sender, to, tmp_path),
        "nodemailer": send_nodemailer,
        "django": send_django,
    }
    return senders[request.param]


def test_up_to_the_cap_goes_through_and_the_next_is_deferred_in_the_documented_form(
    make_relay: MakeRelay, send: Send
) -> None:
    relay = make_relay(policies={"ramp": calendar(CAP, CAP, UNLIMITED)}).start()

    answers = [send(relay.port, SENDER, f"reader{n}@example.org") for n in range(CAP)]
    over = send(relay.port, SENDER, "reader9@example.org")

    assert [answer.ok for answer in answers] == [True] * CAP, answers
    assert (over.ok, over.code) == (False, 451), over
    found = DEFERRAL.fullmatch(over.text)
    assert found, over.text
    today = relay.clock.now().date()
    assert found[1] == (today + timedelta(days=1)).isoformat()
    assert found[2] == (today + timedelta(days=2)).isoformat()
    assert len(arrived(relay.home / "outbound")) == CAP
    assert relay.status()["emails_sent_today"] == CAP


def test_the_reference_of_a_deferral_stands_in_the_log(make_relay: MakeRelay) -> None:
    relay = make_relay(policies={"ramp": calendar(CAP, CAP, UNLIMITED)}).start()
    for number in range(CAP):
        send_smtplib(relay.port, SENDER, f"reader{number}@example.org")

    over = send_smtplib(relay.port, SENDER, "reader9@example.org")

    found = DEFERRAL.fullmatch(over.text)
    assert found, over.text
    until(  # a line may wait a moment for others
        lambda: any(found[3] in str(line) for line in relay.log_lines()),
        "the reference in the log",
        detail=relay.log_tail,
    )
    assert "reader9@example.org" not in (relay.home / "relay.log").read_text()
