"""`recipients: split` with the real command: every RCPT its own answer, and a quota that is exact.

What was sent is counted at the upstream, what was charged by `warmup-relay status`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.conftest import MakeExim, MakePostfix, MakeRelay, MakeSink
from tests.harness.arrived import arrived
from tests.harness.relay_config import DOMAIN, calendar
from tests.harness.relay_process import RelayProcess
from tests.harness.smtp_script import Act, close, late, refuse, reset
from tests.harness.upstream import SinkThread
from tests.harness.waiting import until
from tests.harness.wire import Wire, mail

SENDER = f"news@{DOMAIN}"
OTHER = "other.acme.example"
MAIL = f"MAIL FROM:<{SENDER}>"


def split(*caps: int) -> dict[str, object]:
    return calendar(*caps, recipients="split")


def rcpt(name: str) -> str:
    return f"RCPT TO:<{name}@example.org>"


def letter(name: str = "one", sender: str = SENDER) -> bytes:
    return mail(sender, message_id=f"{name}@{DOMAIN}")


def charged(relay: RelayProcess) -> tuple[int, int]:
    """Sends of today, and those in flight."""
    status = relay.status()
    return status["emails_sent_today"], status["reserved_now"]


def recipients(sink: SinkThread) -> list[str]:
    found = [name for message in sink.sink.messages for name in message.rcpts]
    return [name.removesuffix("@example.org") for name in found]


def offer(wire: Wire, *names: str) -> list[int]:
    """MAIL, and a RCPT for each of `names`: their codes."""
    assert wire.do(MAIL).code == 250
    return [wire.do(rcpt(name)).code for name in names]


# A real MTA.


def test_postfix_with_150_recipients_and_a_cap_of_100_delivers_the_rest_the_next_day(
    make_relay: MakeRelay, make_sink: MakeSink, make_postfix: MakePostfix
) -> None:
    sink = make_sink()
    relay = make_relay(upstream=sink.url, policies={"ramp": split(100)}).start()
    postfix = make_postfix(relay.port)
    everybody = [f"reader{number}@example.org" for number in range(150)]
    postfix.hand_in(SENDER, everybody, letter())
    until(
        lambda: len(sink.recipients()) >= 100 and postfix.settled(),
        "the first day",
        timeout_s=30,
        detail=postfix.log,
    )
    assert len(sink.recipients()) == 100
    assert charged(relay) == (100, 0)
    [left] = postfix.queue()
    assert len(left["recipients"]) == 50
    assert all("4.7.1" in str(entry["delay_reason"]) for entry in left["recipients"])

    relay.clock.move(days=1)
    postfix.flush()

    until(lambda: postfix.queue() == [], "the second day", timeout_s=30, detail=postfix.log)
    assert sorted(sink.recipients()) == sorted(everybody)
    assert charged(relay) == (50, 0)


@pytest.mark.parametrize("most_recipients", [0, 60])
def test_exim_with_150_recipients_and_a_cap_of_100_delivers_the_rest_the_next_day(
    make_relay: MakeRelay, make_sink: MakeSink, make_exim: MakeExim, most_recipients: int
) -> None:
    sink = make_sink()
    relay = make_relay(upstream=sink.url, policies={"ramp": split(100)}).start()
    exim = make_exim(relay.port, most_recipients=most_recipients)
    everybody = [f"reader{number}@example.org" for number in range(150)]
    exim.hand_in(SENDER, everybody, letter())
    exim.run_queue()
    assert len(sink.recipients()) == 100, exim.log()
    assert charged(relay) == (100, 0)
    assert sorted([*sink.recipients(), *exim.queue()]) == sorted(everybody)
    exim.run_queue()
    assert len(sink.recipients()) == 100

    relay.clock.move(days=1)
    exim.run_queue()

    assert exim.queue() == [], exim.log()
    assert sorted(sink.recipients()) == sorted(everybody)
    assert charged(relay) == (50, 0)


# At RCPT.


def test_each_recipient_hears_of_its_own_and_only_those_with_a_250_are_sent_to(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = make_relay(upstream=sink.url, policies={"ramp": split(3)}).start()
    sink.script.add("RCPT", refuse("550 5.1.1 no such user").at(b"<bad"))
    with Wire(relay.port) as wire:
        assert wire.do(MAIL).code == 250
        answers = [wire.do(rcpt(name)) for name in ("a", "bad1", "b", "bad2", "c", "d", "e")]
        assert [answer.code for answer in answers] == [250, 550, 250, 550, 250, 451, 451]
        assert "<bad1@example.org>: no such user" in answers[1].text
        assert answers[5].text.startswith("4.7.1 news.acme.example")
        assert "3 of 3 sent today" in answers[5].text
        assert charged(relay) == (0, 3)
        wire.hand_in(letter())
        assert wire.read().code == 250
    assert recipients(sink) == ["a", "b", "c"]
    assert charged(relay) == (3, 0)


def test_the_first_message_may_be_refused_and_the_clock_does_not_start(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = make_relay(upstream=sink.url, policies={"ramp": split(3)}).start()
    sink.script.add("RCPT", refuse("550 5.1.1 no such user"))
    with Wire(relay.port) as wire:
        assert offer(wire, "a", "b") == [550, 550]
        assert wire.do("DATA").code == 554
    assert charged(relay) == (0, 0)
    assert relay.status()["state"] == "pending"


def test_an_unknown_sending_domain_at_rcpt_falls_back_to_the_whole_message(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = make_relay(upstream=sink.url, policies={"ramp": split(2)}).start()
    with Wire(relay.port) as wire:
        assert wire.do("MAIL FROM:<>").code == 250
        assert [wire.do(rcpt(name)).code for name in "abc"] == [250, 250, 250]
        assert "RCPT" not in sink.sink.verbs()
        wire.hand_in(letter())
        assert wire.read().enhanced in {"4.7.1", "5.5.3"}
    assert (recipients(sink), charged(relay)) == ([], (0, 0))


# Clients that leave.

STAGES: dict[str, Callable[[Wire], object]] = {
    "RCPT": lambda wire: None,
    "DATA": lambda wire: wire.do("DATA"),
    "content": lambda wire: (wire.do("DATA"), wire.write(b"From: x\r\n\r\nhalf of it\r\n.\r")),
}
LEAVING: dict[str, Callable[[Wire], object]] = {
    "reset": Wire.reset,
    "close": Wire.close,
    "QUIT": lambda wire: wire.do("QUIT"),
    "RSET": lambda wire: wire.do("RSET"),
    "EHLO": lambda wire: wire.ehlo(),
}


@pytest.mark.slow
def test_a_client_that_leaves_before_the_final_dot_leaves_nothing_charged_or_open(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    upstream = {"url": sink.url, "pool": {"connections": 2}}
    relay = make_relay(upstream=upstream, policies={"ramp": split(10)}).start()
    ways = [(stage, how) for stage in STAGES for how in LEAVING]
    ways = [(stage, how) for stage, how in ways if stage == "RCPT" or how in {"reset", "close"}]
    for stage, how in ways:
        wire = Wire(relay.port)
        assert offer(wire, *"abcdefghij") == [250] * 10
        STAGES[stage](wire)
        LEAVING[how](wire)
        until(lambda: charged(relay) == (0, 0), f"refunds after {how} at {stage}")
    assert sink.sink.messages == []
    with Wire(relay.port) as wire:  # more ways than connections: none was kept
        assert offer(wire, *"abcdefghij", "k") == [250] * 10 + [451]
        wire.hand_in(letter())
        assert wire.read().code == 250
    assert charged(relay) == (10, 0)
    assert len(recipients(sink)) == 10


def test_a_client_that_says_nothing_more_is_left_and_its_sends_are_given_back(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    limits = {"limits": {"command_timeout": "1s"}}
    relay = make_relay(upstream=sink.url, policies={"ramp": split(10)}, more=limits).start()
    with Wire(relay.port) as wire:
        offer(wire, "a", "b")
        assert wire.read().code == 421
    until(lambda: charged(relay) == (0, 0), "the refunds")


def test_a_relay_that_stops_gives_back_what_its_clients_hold(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    limits = {"limits": {"shutdown": "1s"}}
    relay = make_relay(upstream=sink.url, policies={"ramp": split(10)}, more=limits).start()
    with Wire(relay.port) as wire:
        offer(wire, "a", "b")
        assert charged(relay) == (0, 2)
        assert relay.sigterm() == 0
    relay.restart()
    assert charged(relay) == (0, 0)


# Upstreams that say no, or nothing.


@pytest.mark.parametrize(
    ("verb", "act", "enhanced", "sent"),
    [
        ("DATA", refuse("554 5.7.1 spam"), "5.7.1", 0),
        ("DOT", refuse("451 4.2.0 later"), "4.2.0", 0),
        ("DATA", reset(), "4.4.1", 0),
        ("BODY", close(), "4.4.1", 0),
        ("DOT", reset(), "4.3.0", 2),
        ("DOT", close(), "4.3.0", 2),
    ],
)
def test_what_the_upstream_says_of_the_message_counts_for_all_its_recipients(
    make_relay: MakeRelay, sink: SinkThread, verb: str, act: Act, enhanced: str, sent: int
) -> None:
    relay = make_relay(upstream=sink.url, policies={"ramp": split(10)}).start()
    sink.once(verb, replace(act, after_bytes=1000) if verb == "BODY" else act)
    with Wire(relay.port) as wire:
        assert offer(wire, "a", "b") == [250, 250]
        # BODY: content beyond one write, so that the loss is before the final dot.
        wire.hand_in(letter() + b"x" * 70 * 90_000 if verb == "BODY" else letter())
        assert wire.read().enhanced == enhanced
    assert charged(relay) == (sent, 0)
    assert len(recipients(sink)) == sent


def test_an_upstream_that_leaves_while_the_client_dawdles_is_a_deferral_and_no_unknown(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = make_relay(upstream=sink.url, policies={"ramp": split(10)}).start()
    with Wire(relay.port) as wire:
        assert offer(wire, "a", "b") == [250, 250]
        sink.drop()
        wire.hand_in(letter())
        assert wire.read().code == 451
    assert charged(relay) == (0, 0)
    with Wire(relay.port) as wire:
        assert wire.send(SENDER, "a@example.org", letter()).code == 250
    assert recipients(sink) == ["a"]


def test_a_client_that_dawdles_longer_than_the_upstream_may_be_kept_is_deferred(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    upstream = {"url": sink.url, "timeouts": {"data": "1s"}}
    relay = make_relay(upstream=upstream, policies={"ramp": split(10)}).start()
    with Wire(relay.port) as wire:
        assert offer(wire, "a", "b") == [250, 250]
        until(lambda: sink.sink.open == 0, "the upstream connection to be given up")
        wire.hand_in(letter())
        assert wire.read().enhanced == "4.4.1"
        assert wire.send(SENDER, "c@example.org", letter()).code == 250
    assert charged(relay) == (1, 0)
    assert recipients(sink) == ["c"]


def test_a_maildir_takes_the_recipients_that_fit(make_relay: MakeRelay) -> None:
    relay = make_relay(policies={"ramp": split(2)}).start()
    with Wire(relay.port) as wire:
        assert offer(wire, "a", "b", "c") == [250, 250, 451]
        wire.hand_in(letter())
        assert wire.read().code == 250
    [file] = arrived(relay.home / "outbound")
    assert file.count(b"X-Envelope-To: ") == 2
    assert charged(relay) == (2, 0)


# The From header.


def test_the_sends_move_to_the_domain_of_the_from_header(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    policies = {"ramp": split(10), "narrow": calendar(2)}
    domains = {DOMAIN: "ramp", OTHER: "narrow"}
    relay = make_relay(upstream=sink.url, policies=policies, domains=domains).start()
    for wanted in (250, 451):
        with Wire(relay.port) as wire:
            assert offer(wire, "a", "b") == [250, 250]
            wire.hand_in(letter(sender=f"news@{OTHER}"))
            assert wire.read().code == wanted
    assert charged(relay) == (0, 0)
    assert relay.status(OTHER)["emails_sent_today"] == 2
    assert recipients(sink) == ["a", "b"]


# Rule 3.


def test_a_retry_with_other_recipients_sends_to_each_of_them_once(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = make_relay(upstream=sink.url, policies={"ramp": split(10)}).start()
    sink.once("DOT", late(1.0))
    wire = Wire(relay.port)
    offer(wire, "a", "b")
    wire.hand_in(letter())
    until(lambda: len(sink.contents()) == 1, "the upstream to have it")
    wire.reset()

    def taken() -> bool:
        with Wire(relay.port) as again:
            offer(again, "b", "c")
            again.hand_in(letter())
            reply = again.read()
            again.quit()
        return reply.code == 250

    until(taken, "the retry to be taken", timeout_s=15, every_s=0.3)
    assert sorted(recipients(sink)) == ["a", "b", "c"]
    assert charged(relay) == (3, 0)


@pytest.mark.parametrize("before", ["whole", "split"])
def test_an_edit_of_recipients_between_attempt_and_retry_makes_no_second_copy(
    before: str, make_relay: MakeRelay, sink: SinkThread
) -> None:
    policies = {way: calendar(10, recipients=way) for way in ("whole", "split")}
    after = policies["split" if before == "whole" else "whole"]
    relay = make_relay(upstream=sink.url, policies={"ramp": policies[before]}).start()
    sink.once("DOT", late(0.3))
    with Wire(relay.port) as wire:
        offer(wire, "a")
        wire.hand_in(letter())
        until(lambda: len(sink.contents()) == 1, "the upstream to have it")
        wire.reset()
    relay.config.write_policy(relay.home, "ramp", after | {"ramp": calendar(11)["ramp"]})
    until(lambda: relay.metric("relay_quota_cap", domain=DOMAIN) == 11, "the edit in force")
    until(lambda: charged(relay) == (1, 0), "the first attempt to be settled")

    with Wire(relay.port) as wire:
        offer(wire, "a")
        wire.hand_in(letter())
        reply = wire.read()
    assert (reply.code, "not sent again" in reply.text) == (250, True), reply
    assert (recipients(sink), charged(relay)) == (["a"], (1, 0))


# All at once.


def test_many_clients_at_once_with_some_leaving_never_pass_the_cap_and_lose_none_of_it(
    make_relay: MakeRelay, make_sink: MakeSink
) -> None:
    sink = make_sink()
    relay = make_relay(upstream=sink.url, policies={"ramp": split(60)}).start()

    def talk(number: int) -> None:
        dice = random.Random(number)
        with Wire(relay.port) as wire:
            codes = offer(wire, *(f"r{number}-{n}" for n in range(dice.randint(1, 6))))
            assert set(codes) <= {250, 451}
            what = dice.choice(["send", "send", "reset", "RSET", "content"])
            if what == "send" and 250 in codes:
                wire.hand_in(letter(f"m{number}"))
                assert wire.read().code == 250
            elif what == "content" and 250 in codes:
                wire.do("DATA")
                wire.write(b"From: x\r\n")
            elif what == "RSET":
                wire.do("RSET")
            if what in {"reset", "content"}:
                wire.reset()

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(talk, range(80)))
    until(lambda: charged(relay)[1] == 0, "the refunds")
    sent = len(sink.recipients())
    assert charged(relay) == (sent, 0)
    assert sent <= 60
    with Wire(relay.port) as wire:
        codes = offer(wire, *(f"last{n}" for n in range(61)))
        assert codes.count(250) == 60 - sent
        if sent < 60:
            wire.hand_in(letter("last"))
            assert wire.read().code == 250
    assert len(set(sink.recipients())) == len(sink.recipients()) == 60


def test_a_killed_relay_leaves_charged_only_what_was_in_flight(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = make_relay(upstream=sink.url, policies={"ramp": split(10)}).start()
    with Wire(relay.port) as wire:
        offer(wire, "a", "b", "c")
        relay.kill9()
    relay.restart()
    assert charged(relay) == (0, 3)
    with Wire(relay.port) as wire:
        assert offer(wire, *"abcdefgh") == [250] * 7 + [451]
