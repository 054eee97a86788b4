"""`import-history` with the real command: as if the relay had sent all of it itself."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeRelay, MakeStore
from tests.harness.relay_config import DOMAIN, calendar, lifetime
from tests.harness.relay_process import Ran, RelayProcess
from tests.harness.wire import Wire, mail

TIERS = [{"from": 0, "cap": 4}, {"from": 1, "cap": 8}, {"from": 2, "cap": 16}]
GROWTH = {"start": 4, "factor": 1.5, "days": 6, "then": "unlimited"}


def ramp(advance: str, **more: Any) -> dict[str, Any]:
    words = more or {"tiers": TIERS}
    return {"description": "x", "source": "y", "ramp": {"advance": advance, **words}}


POLICIES = {
    "calendar": calendar(4, 8, 16),
    "sending": ramp("sending-days"),
    "qualified": ramp("qualified-days", tiers=TIERS, qualify="75%"),
    "lifetime": lifetime((0, 4), (6, 8), (12, 16)),
    "growth": ramp("sending-days", growth=GROWTH),
    "idle": calendar(4, 8, 16, idle={"after": "1 days", "do": "step-back"}),
}
COUNTS = (4, 2, 0, 4, 3)
"""What is sent on each day; the last one is today."""


def send(relay: RelayProcess, domain: str, count: int) -> None:
    sender = f"news@{domain}"
    with Wire(relay.port) as wire:
        for number in range(count):
            assert wire.send(sender, f"r{number}@example.org", mail(sender)).code == 250


def history(relay: RelayProcess, *rows: tuple[int, int], name: str = "sends.csv") -> Path:
    """A file with so many sends so many days ago."""
    today = relay.clock.now().date()
    lines = [f"{today - timedelta(days=ago)},{sends}\n" for ago, sends in rows]
    path = relay.home / name
    path.write_text("date,sends\n" + "".join(lines))
    return path


def imported(relay: RelayProcess, route: str, file: Path, *options: str) -> dict[str, Any]:
    ran = relay.cli("import-history", route, str(file), "--json", *options)
    assert ran.exit == 0, ran
    return ran.json


def refused(relay: RelayProcess, file: Path, *options: str) -> str:
    ran: Ran = relay.cli("import-history", DOMAIN, str(file), *options)
    assert ran.exit == 1, ran
    return ran.err


def comparable(status: dict[str, Any]) -> dict[str, Any]:
    """Without its name, and what no file says: the hour of the first send, and to whom."""
    left_out = {"id", "domain", "providers"}
    kept = {name: value for name, value in status.items() if name not in left_out}
    first = status["first_send_at"]
    return kept | {"first_send_at": first and first[:10]}


@pytest.mark.slow
def test_it_stands_as_the_route_that_lived_it_today_and_on_the_days_after(
    make_relay: MakeRelay,
) -> None:
    domains = {f"{how}-{name}.example": name for name in POLICIES for how in ("lived", "told")}
    relay = make_relay(policies=POLICIES, domains=domains).start()
    for day, count in enumerate(COUNTS):
        if day:
            relay.clock.move(days=1)
        for name in POLICIES:
            send(relay, f"lived-{name}.example", count)

    file = history(relay, *zip(range(len(COUNTS) - 1, -1, -1), COUNTS, strict=True))
    done = {name: imported(relay, f"told-{name}.example", file) for name in POLICIES}

    def found() -> dict[str, dict[str, Any]]:
        return {status["domain"]: status for status in relay.cli("status", "--json").json}

    def agree() -> None:
        routes = found()
        for name in POLICIES:
            lived = comparable(routes[f"lived-{name}.example"])
            assert comparable(routes[f"told-{name}.example"]) == lived, name

    agree()
    status = found()["told-calendar.example"]
    assert done["calendar"] == status | {"imported": True}
    assert (status["warmup_day"], status["daily_limit"], status["remaining_today"]) == (4, 16, 13)
    assert status["lifetime_sends"] == sum(COUNTS)
    relay.clock.move(days=1)
    agree()
    for name in POLICIES:
        send(relay, f"lived-{name}.example", 2)
        send(relay, f"told-{name}.example", 2)
    agree()


def test_todays_sends_are_sent_and_the_relay_lets_no_more_through(make_relay: MakeRelay) -> None:
    relay = make_relay(policies={"ramp": calendar(5)}).start()
    imported(relay, DOMAIN, history(relay, (0, 3)))
    sender = f"news@{DOMAIN}"
    with Wire(relay.port) as wire:
        replies = [wire.send(sender, "r@example.org", mail(sender)) for _ in range(3)]
    assert [reply.code for reply in replies] == [250, 250, 451]
    assert "5 of 5 sent today (day 0, ramp)" in replies[-1].text


def test_a_rolling_window_holds_yesterday_until_the_day_after(make_relay: MakeRelay) -> None:
    rolling = calendar(10, window={"kind": "rolling-24h"})
    relay = make_relay(policies={"ramp": rolling}).start()
    status = imported(relay, DOMAIN, history(relay, (2, 9), (1, 6), (0, 2)))
    assert (status["emails_sent_today"], status["remaining_today"]) == (8, 2)
    assert status["resets_at"][11:] == "00:15:00Z"


def test_a_route_that_has_sent_is_left_alone_unless_its_history_is_replaced(
    make_relay: MakeRelay,
) -> None:
    relay = make_relay(policies={"ramp": calendar(5, 9)}).start()
    send(relay, DOMAIN, 2)
    before, file = relay.status(), history(relay, (1, 5), (0, 1))
    assert "has sent already; --replace" in refused(relay, file)
    assert "has sent already; --replace" in refused(relay, file, "--dry-run")
    assert relay.status() == before
    after = imported(relay, DOMAIN, file, "--replace")
    assert (after["warmup_day"], after["daily_limit"]) == (1, 9)
    assert (after["emails_sent_today"], after["lifetime_sends"]) == (2, 6)


@pytest.mark.parametrize(
    ("row", "told"),
    [("monday,4", ":3: 'monday' is no date"), ("{tomorrow},4", "is in the future: it is ")],
)
def test_a_bad_file_is_told_with_its_line_and_changes_nothing(
    make_relay: MakeRelay, row: str, told: str
) -> None:
    relay = make_relay().start()
    file = history(relay, (0, 3))
    tomorrow = relay.clock.now().date() + timedelta(days=1)
    file.write_text(file.read_text() + row.format(tomorrow=tomorrow) + "\n")
    said = refused(relay, file)
    assert told in said
    assert f"{file}:3: " in said
    assert "nothing was changed" in said
    assert relay.status()["state"] == "pending"


@pytest.mark.slow
def test_people_read_the_words_of_status(make_relay: MakeRelay) -> None:
    relay = make_relay(policies={"ramp": calendar(5, 9)}).start()
    file = history(relay, (1, 5), (0, 4))
    dry = relay.cli("import-history", DOMAIN, str(file), "--dry-run")
    assert relay.status()["state"] == "pending"
    assert "nothing was written" in dry.err
    assert "cap today       9" in dry.out
    assert relay.cli("import-history", DOMAIN, str(file)).out == dry.out
    assert relay.cli("status", DOMAIN).out == dry.out


@pytest.mark.slow
def test_it_works_without_a_relay_and_on_a_store_of_the_operators(
    make_relay: MakeRelay, make_store: MakeStore
) -> None:
    words = {"policies": {"ramp": calendar(*[5] * 30, 9)}}
    for relay in (make_relay("own", **words), make_relay("other", store=make_store().url, **words)):
        file = relay.home / "sends.csv"
        file.write_text("2026-01-05,5\n")
        assert imported(relay, DOMAIN, file)["daily_limit"] == 9
        relay.start()
        assert relay.status()["first_send_at"] == "2026-01-05T00:00:00Z"
        assert relay.metric("relay_lifetime_sends", domain=DOMAIN) == 5
        relay.sigterm()
