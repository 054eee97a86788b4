"""Every reply of DESIGN §6, heard from the real command."""

from __future__ import annotations

import re
import time
from datetime import timedelta

import pytest

from tests.conftest import MakeRelay
from tests.harness.ports import free_port, is_listening
from tests.harness.relay_config import DOMAIN, UNLIMITED, calendar
from tests.harness.relay_process import RelayProcess
from tests.harness.smtp_script import refuse, reset
from tests.harness.upstream import SinkThread
from tests.harness.waiting import until
from tests.harness.wire import Wire, WireReply, mail

SENDER = f"news@{DOMAIN}"
REF = r" \[[A-Za-z0-9._-]+\]"


def heard(reply: WireReply, code: int, enhanced: str) -> str:
    """Assert the codes and that they are of one class; the text without them."""
    assert (reply.code, reply.enhanced) == (code, enhanced), reply
    assert enhanced[0] == str(code)[0]
    return reply.text.removeprefix(f"{enhanced} ")


def small(make_relay: MakeRelay, **config: object) -> RelayProcess:
    """A relay whose caps are 2, then 4, then none."""
    policies = {"ramp": calendar(2, 4, UNLIMITED)}
    return make_relay(**{"policies": policies} | config).start()


def fill(relay: RelayProcess, count: int = 2) -> None:
    with Wire(relay.port) as wire:
        for number in range(count):
            reply = wire.send(SENDER, f"r{number}@example.org", mail(SENDER))
            assert reply.code == 250, f"{reply}\n{relay.log_tail()}"


def test_cap_reached_is_451_4_7_1_at_the_first_recipient_already(make_relay: MakeRelay) -> None:
    relay = small(make_relay)
    fill(relay)

    with Wire(relay.port) as wire:
        assert wire.do(f"MAIL FROM:<{SENDER}>").code == 250
        reply = wire.do("RCPT TO:<late@example.org>")

    assert "2 of 2 sent today (day 0, ramp)" in heard(reply, 451, "4.7.1")


def test_cap_reached_while_the_message_came_is_451_4_7_1_after_data(make_relay: MakeRelay) -> None:
    relay = small(make_relay)
    with Wire(relay.port) as wire:
        assert wire.envelope(SENDER, "late@example.org").code == 250
        fill(relay)

        wire.hand_in(mail(SENDER))

        text = heard(wire.read(), 451, "4.7.1")
    assert re.search(r"temporarily rate limited by warm-up: 2 of 2 sent today", text)


def test_another_wall_paused_is_451_4_7_1_and_says_so_until_resumed(
    make_relay: MakeRelay,
) -> None:
    relay = small(make_relay)
    assert relay.cli("pause", DOMAIN, "--json").exit == 0
    with Wire(relay.port) as wire:
        text = heard(wire.send(SENDER, "r@example.org", mail(SENDER)), 451, "4.7.1")
        assert text.startswith(f"{DOMAIN} temporarily rate limited by warm-up: paused")
        assert relay.cli("resume", DOMAIN, "--json").exit == 0
        assert wire.send(SENDER, "r@example.org", mail(SENDER)).code == 250


def test_a_pause_is_told_at_rcpt_soon_though_the_route_had_plenty_of_room(
    make_relay: MakeRelay,
) -> None:
    relay = make_relay(policies={"ramp": calendar(100_000, UNLIMITED)}).start()
    fill(relay)
    assert relay.cli("pause", DOMAIN).exit == 0
    with Wire(relay.port) as wire:
        for _ in range(100):
            reply = wire.envelope(SENDER, "late@example.org")
            if reply.code != 250:
                break
            wire.do("RSET")
            time.sleep(0.1)
    assert "paused" in heard(reply, 451, "4.7.1")


def test_wider_than_today_is_451_4_7_1_with_the_day_on_which_it_fits(
    make_relay: MakeRelay,
) -> None:
    relay = small(make_relay)
    recipients = [f"r{number}@example.org" for number in range(4)]
    with Wire(relay.port) as wire:
        reply = wire.envelope(SENDER, *recipients)
        if reply.code == 250:
            wire.hand_in(mail(SENDER))
            reply = wire.read()
    tomorrow = (relay.clock.now() + timedelta(days=1)).date()
    assert f"fits on {tomorrow}" in heard(reply, 451, "4.7.1")


def test_wider_than_the_policy_ever_allows_is_550_5_5_3_and_says_to_split_it(
    make_relay: MakeRelay,
) -> None:
    relay = small(make_relay, policies={"ramp": calendar(2, 4)})
    with Wire(relay.port) as wire:
        reply = wire.envelope(SENDER, *[f"r{number}@example.org" for number in range(5)])
        if reply.code == 250:
            wire.hand_in(mail(SENDER))
            reply = wire.read()
    assert "split it" in heard(reply, 550, "5.5.3")
    assert relay.metric("relay_messages_total", outcome="refused") == 1
    assert relay.metric("relay_deferrals_total") == 0


def test_too_many_recipients_is_452_4_5_3_and_a_hundred_are_always_possible(
    make_relay: MakeRelay,
) -> None:
    relay = small(
        make_relay, policies={"ramp": calendar(1000)}, more={"limits": {"recipients": 100}}
    )
    with Wire(relay.port) as wire:
        hundred = [f"r{number}@example.org" for number in range(100)]
        assert wire.envelope(SENDER, *hundred).code == 250

        heard(wire.do("RCPT TO:<more@example.org>"), 452, "4.5.3")

        wire.hand_in(mail(SENDER))
        assert wire.read().code == 250
    assert relay.status()["emails_sent_today"] == 100


def test_a_domain_of_somebody_else_is_550_5_7_1_in_the_envelope_and_in_from(
    make_relay: MakeRelay,
) -> None:
    relay = small(make_relay)
    with Wire(relay.port) as wire:
        heard(wire.do("MAIL FROM:<x@other.example>"), 550, "5.7.1")
        wire.do("RSET")
        reply = wire.send(SENDER, "r@example.org", mail("x@other.example"))
        heard(reply, 550, "5.7.1")


def test_no_tenant_is_530_5_7_0(make_relay: MakeRelay) -> None:
    relay = small(make_relay, tenant={"networks": ["192.0.2.0/24"]})
    with Wire(relay.port) as wire:
        heard(wire.do(f"MAIL FROM:<{SENDER}>"), 530, "5.7.0")


def test_bad_credentials_are_535_5_7_8(make_relay: MakeRelay) -> None:
    relay = small(
        make_relay, listeners=[{"tls": "none", "auth": "required", "plaintext_auth": "loopback"}]
    )
    with Wire(relay.port) as wire:
        heard(wire.auth_plain("acme", "guessed"), 535, "5.7.8")


def test_auth_without_tls_is_538_5_7_11(make_relay: MakeRelay) -> None:
    relay = small(make_relay, listeners=[{"tls": "none", "auth": "required"}])
    with Wire(relay.port) as wire:
        heard(wire.auth_plain("acme", "guessed"), 538, "5.7.11")


def test_upstream_not_reachable_is_451_4_4_1_with_a_reference(make_relay: MakeRelay) -> None:
    relay = make_relay(upstream=f"smtp://127.0.0.1:{free_port()}")
    relay.launch()
    reply = _once_listening(relay)
    text = heard(reply, 451, "4.4.1")
    assert re.search(REF + "$", text), text
    assert relay.status()["remaining_today"] == 100


def _once_listening(relay: RelayProcess) -> WireReply:
    until(lambda: is_listening(relay.port), "the listener", timeout_s=20, detail=relay.log_tail)
    with Wire(relay.port) as wire:
        return wire.send(SENDER, "r@example.org", mail(SENDER))


@pytest.mark.parametrize("from_field", ["", "From: not an address\r\n"])
def test_a_from_that_cannot_be_read_is_550_5_6_0(make_relay: MakeRelay, from_field: str) -> None:
    relay = small(make_relay)
    with Wire(relay.port) as wire:
        content = f"{from_field}Subject: x\r\n\r\nhello\r\n".encode()
        heard(wire.send(SENDER, "r@example.org", content), 550, "5.6.0")


def test_too_big_is_552_5_3_4(make_relay: MakeRelay) -> None:
    relay = small(make_relay, more={"limits": {"message_size": 100_000}})
    with Wire(relay.port) as wire:
        assert "SIZE" in wire.keywords
        heard(wire.do(f"MAIL FROM:<{SENDER}> SIZE=100001"), 552, "5.3.4")
        wire.do("RSET")
        big = mail(SENDER) + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 1500
        heard(wire.send(SENDER, "r@example.org", big), 552, "5.3.4")


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "DOT"])
@pytest.mark.parametrize("said", ["550 5.1.1 no such user here", "451 4.7.650 slow down a bit"])
def test_what_the_upstream_said_is_what_the_client_hears(
    make_relay: MakeRelay, sink: SinkThread, verb: str, said: str
) -> None:
    relay = small(make_relay, upstream=sink.url)
    sink.once(verb, refuse(said))
    with Wire(relay.port) as wire:
        reply = wire.send(SENDER, "r@example.org", mail(SENDER))
        code, enhanced, words = said.split(" ", 2)
        text = heard(reply, int(code), enhanced)
        named = "<r@example.org>: " if verb == "RCPT" else ""
        assert re.fullmatch(re.escape(named + words) + f"({REF})?", text), text
        assert wire.send(SENDER, "r@example.org", mail(SENDER)).code == 250
    assert relay.status()["emails_sent_today"] == 1, "a refusal is refunded"


def test_an_upstream_that_breaks_off_after_the_final_dot_is_451_4_3_0_and_stays_charged(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = small(make_relay, upstream=sink.url)
    sink.once("DOT", reset())
    with Wire(relay.port) as wire:
        text = heard(wire.send(SENDER, "r@example.org", mail(SENDER)), 451, "4.3.0")
    assert re.search(REF + "$", text), text
    assert relay.status()["remaining_today"] == 1


def test_one_refused_recipient_of_three_means_that_nothing_is_sent(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = small(make_relay, upstream=sink.url, policies={"ramp": calendar(10)})
    sink.script.add("RCPT", refuse("550 5.1.1 no such user").at(b"b@"))
    with Wire(relay.port) as wire:
        assert wire.envelope(SENDER, "a@x.example", "b@x.example", "c@x.example").code == 250
        wire.hand_in(mail(SENDER))
        text = heard(wire.read(), 550, "5.1.1")
    assert text.startswith("<b@x.example>: no such user")
    assert not sink.contents()
    assert relay.status()["remaining_today"] == 10


def test_more_connections_than_allowed_are_421_4_3_2(make_relay: MakeRelay) -> None:
    relay = small(make_relay, more={"limits": {"connections_per_address": 2}})
    with Wire(relay.port), Wire(relay.port), Wire(relay.port, greet=False) as third:
        heard(third.read(), 421, "4.3.2")


def test_bare_newlines_are_550_5_6_11_and_smuggle_nothing(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = small(make_relay, upstream=sink.url)
    for ending in (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r"):
        smuggled = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<x@example.org>\r\nDATA\r\n".encode()
        content = mail(SENDER) + b"a" + ending + smuggled + mail(SENDER)
        with Wire(relay.port) as wire:
            assert wire.envelope(SENDER, "r@example.org").code == 250
            assert wire.do("DATA").code == 354
            wire.write(content + b".\r\n")
            heard(wire.read(), 550, "5.6.11")
            assert wire.do("NOOP").code == 250, "something else was answered too"
    assert not sink.contents()
