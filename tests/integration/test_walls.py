"""Limits inside the cap, with the real command: who hears of which wall, both ends counted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.conftest import MakeRelay
from tests.harness.relay_config import DOMAIN, calendar
from tests.harness.relay_process import RelayProcess
from tests.harness.upstream import SinkThread
from tests.harness.waiting import until
from tests.harness.wire import Wire, mail

SENDER = f"news@{DOMAIN}"
TRANSACTIONAL = b"X-Warmup-Class: transactional\r\n"


def relay_with(make_relay: MakeRelay, sink: SinkThread, cap: int, **walls: Any) -> RelayProcess:
    policies = {"ramp": calendar(cap, **walls)}
    return make_relay(upstream=sink.url, policies=policies).start()


def sent(wire: Wire, *recipients: str, head: bytes = b"") -> str:
    """The last reply to one message, code and text."""
    reply = wire.envelope(SENDER, *recipients)
    if reply.code == 250:
        wire.hand_in(head + mail(SENDER))
        reply = wire.read()
    else:
        wire.do("RSET")
    return f"{reply.code} {reply.text}"


def _recipients(sink: SinkThread) -> list[str]:
    return [recipient for message in sink.sink.messages for recipient in message.rcpts]


def test_a_full_provider_is_named_and_the_others_go_on(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    walls = {"google": {"share": "50%"}, "default": {"share": "25%"}}
    relay = relay_with(make_relay, sink, 8, providers=walls)
    with Wire(relay.port) as wire:
        assert sent(wire, "a@gmail.com", "b@googlemail.com", "c@gmail.com").startswith("250")
        assert sent(wire, "a@yahoo.com", "b@gmail.com").startswith("250")
        told = sent(wire, "d@gmail.com", "e@web.de")
        assert told.startswith("451")
        assert f"{DOMAIN} temporarily rate limited by warm-up for google: 4 of 4 sent today" in told
        assert sent(wire, "e@web.de").startswith("250")
    assert len(_recipients(sink)) == 6
    providers = relay.status()["providers"]
    assert providers["google"] == {"limit": 4, "sent": 4, "remaining": 0}
    assert providers["yahoo"]["sent"] == 1
    assert relay.metric("relay_quota_sent", domain=DOMAIN, provider="google") == 4
    assert relay.metric("relay_quota_remaining", domain=DOMAIN, provider="google") == 0
    assert relay.metric("relay_deferrals_total", domain=DOMAIN, wall="provider") == 1
    explained = relay.cli("explain", DOMAIN, "z@gmail.com").out
    assert "provider google: 4 of 4 used; opens" in explained
    assert "z@gmail.com: google (data file:" in explained
    assert "rate limited by warm-up for google" in explained


def test_what_is_kept_for_transactional_mail_is_there_for_it(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = relay_with(make_relay, sink, 10, headroom={"transactional": "20%"})
    with Wire(relay.port) as wire:
        for _ in range(8):
            assert sent(wire, "a@example.org").startswith("250")
        told = sent(wire, "a@example.org")
        assert "8 of 8 sent today, the rest is kept for transactional mail" in told
        assert sent(wire, "a@example.org", "b@example.org", head=TRANSACTIONAL).startswith("250")
        assert "10 of 10 sent today" in sent(wire, "a@example.org", head=TRANSACTIONAL)


def test_an_hour_is_named_with_the_next_one_and_a_day_off_with_the_next_day(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = relay_with(make_relay, sink, 10, smoothing={"hourly_share": "20%"})
    with Wire(relay.port) as wire:
        assert sent(wire, "a@example.org", "b@example.org").startswith("250")
        next_hour = (relay.clock.now() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:00:00Z")
        told = sent(wire, "a@example.org")
        assert "2 of 2 sent this hour" in told
        assert f"next sends {next_hour}" in told
        relay.clock.move(hours=1)
        assert sent(wire, "a@example.org").startswith("250")


def test_the_time_that_a_deferral_names_is_when_mail_passes_and_not_before(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    walls = {"smoothing": {"hourly_share": "100%"}, "window": {"starts": "12:30"}}
    relay = relay_with(make_relay, sink, 2, **walls)
    with Wire(relay.port) as wire:
        assert sent(wire, "a@example.org", "b@example.org").startswith("250")
        one = relay.clock.now().replace(hour=13, minute=0, second=0, microsecond=0)
        told = sent(wire, "a@example.org")  # the day ends at 12:30, but that hour is full
        assert f"2 of 2 sent today (day 0, ramp); next sends {one:%Y-%m-%dT%H:%M:%SZ}" in told
        for before in (timedelta(minutes=25), timedelta(seconds=20)):
            relay.clock.move(seconds=(one - before - relay.clock.now()).total_seconds())
            assert sent(wire, "a@example.org").startswith("451")
        relay.clock.move(seconds=(one - relay.clock.now()).total_seconds())
        assert sent(wire, "a@example.org").startswith("250")


def test_a_message_that_a_provider_never_takes_is_refused_though_the_route_is_full_too(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = relay_with(make_relay, sink, 4, providers={"google": {"cap": 2}})
    google = [f"{name}@gmail.com" for name in "abc"]
    with Wire(relay.port) as wire:
        told = sent(wire, *google, "d@web.de", "e@web.de")
        assert told.startswith("550 5.5.3 ")
        assert sent(wire, "a@web.de", "b@web.de").startswith("250")
        assert "3 recipients for google in one message" in sent(wire, *google)
    assert relay.status()["emails_sent_today"] == 2


def test_a_day_off_is_named_with_the_next_working_day_and_an_edit_takes_it_away(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    days = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    relay = relay_with(make_relay, sink, 10, days_off=list(days[:6]))
    if relay.clock.now().weekday() == 6:
        relay.clock.move(days=1)
    to_sunday = timedelta(days=6 - relay.clock.now().weekday())
    with Wire(relay.port) as wire:
        told = sent(wire, "a@example.org")
        assert f"no sends on {relay.clock.now():%A}s" in told
        sunday = (relay.clock.now() + to_sunday).date()
        assert f"next sends {sunday}T00:00:00Z" in told
        relay.config.write_policy(relay.home, "ramp", calendar(10))
        until(lambda: sent(wire, "a@example.org").startswith("250"), "the edit", timeout_s=15)
    assert _recipients(sink) == ["a@example.org"]


def test_after_long_idleness_the_ramp_begins_anew_and_says_why(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    idle = {"after": "30 days", "do": "restart"}
    relay = make_relay(
        upstream=sink.url, policies={"ramp": calendar(1, "unlimited", idle=idle)}
    ).start()
    with Wire(relay.port) as wire:
        assert sent(wire, "a@example.org").startswith("250")
        relay.clock.move(days=30)
        assert sent(wire, "a@example.org", "b@example.org").startswith("250")
        relay.clock.move(days=31)
        assert relay.status()["reason"] == "restarted: 31 days without sends"
        assert "exceed today's cap of 1" in sent(wire, "a@example.org", "b@example.org")
        assert sent(wire, "a@example.org").startswith("250")
        assert "1 of 1 sent today (day 0, ramp)" in sent(wire, "a@example.org")
    assert "restarted: 31 days without sends" in relay.cli("explain", DOMAIN).out


def test_explain_takes_mail_to_be_of_the_class_that_its_domain_says(
    make_relay: MakeRelay,
) -> None:
    relay = make_relay(policies={"ramp": calendar(10, headroom={"transactional": "100%"})})
    words = ("tx.acme.example", "--tenant", "acme", "--policy", "ramp", "--class", "transactional")
    assert relay.cli("domains", "add", *words).exit == 0
    assert relay.cli("domains", "verify", "tx.acme.example", "--approve").exit == 0
    assert "one more send is accepted" in relay.cli("explain", "tx.acme.example").out
    assert "keeps all of every cap for transactional" in relay.cli("explain", DOMAIN).out
