"""Rule 3: a retry is not a second mail, and two equal mails are not one."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import MakeRelay, MakeStore
from tests.harness.clock import MovableClock
from tests.harness.relay_config import DOMAIN
from tests.harness.relay_process import RelayProcess
from tests.harness.smtp_script import late
from tests.harness.upstream import SinkThread
from tests.harness.waiting import until
from tests.harness.wire import Wire, WireReply, mail

SENDER = f"news@{DOMAIN}"
READER = "reader@example.org"


def letter(name: str) -> bytes:
    return mail(SENDER, message_id=f"{name}@{DOMAIN}")


def hand_in(relay: RelayProcess, content: bytes) -> Wire:
    """A connection on which the final dot has been sent and no answer read."""
    wire = Wire(relay.port)
    assert wire.envelope(SENDER, READER).code == 250
    wire.hand_in(content)
    return wire


def send(relay: RelayProcess, content: bytes) -> WireReply:
    with Wire(relay.port) as wire:
        reply = wire.send(SENDER, READER, content)
        wire.quit()
    return reply


def retry_until_taken(relay: RelayProcess, content: bytes) -> list[WireReply]:
    """As an MTA: again and again while it is deferred."""
    replies: list[WireReply] = []

    def taken() -> bool:
        replies.append(send(relay, content))
        return replies[-1].code == 250

    until(taken, "the retry to be taken", timeout_s=20, every_s=0.3, detail=relay.log_tail)
    return replies


def test_a_client_cut_off_after_the_final_dot_gets_250_for_its_retry_and_one_copy_is_sent(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = make_relay(upstream=sink.url).start()
    sink.once("DOT", late(1.5))
    wire = hand_in(relay, letter("cut"))
    until(lambda: len(sink.contents()) == 1, "the upstream to have it")
    wire.reset()

    replies = retry_until_taken(relay, letter("cut"))

    assert {(reply.code, reply.enhanced) for reply in replies[:-1]} == {(451, "4.3.0")}
    assert sink.message_ids() == [f"cut@{DOMAIN}"]
    assert relay.status()["emails_sent_today"] == 1


def test_the_retry_of_a_message_already_heard_of_is_a_mail_of_its_own(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = make_relay(upstream=sink.url).start()
    sink.once("DOT", late(1.0))
    hand_in(relay, letter("cut")).reset()
    retry_until_taken(relay, letter("cut"))

    assert send(relay, letter("cut")).code == 250

    assert sink.message_ids() == [f"cut@{DOMAIN}"] * 2


def test_killed_after_noting_the_acceptance_the_restarted_relay_sends_no_second_copy(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = make_relay(upstream=sink.url).start()
    wire = hand_in(relay, letter("killed"))
    until(lambda: relay.status()["emails_sent_today"] == 1, "the acceptance to be noted")
    relay.kill9()
    wire.close()  # never read a byte of the answer
    relay.restart()

    replies = retry_until_taken(relay, letter("killed"))

    assert sink.message_ids() == [f"killed@{DOMAIN}"], replies
    assert relay.status()["emails_sent_today"] == 1


def test_killed_after_noting_it_another_relay_on_the_store_sends_no_second_copy(
    make_relay: MakeRelay, make_store: MakeStore, sink: SinkThread, tmp_path: Path
) -> None:
    store, clock = make_store(), MovableClock(tmp_path / "clock")
    one, two = (
        make_relay(name=name, clock=clock, upstream=sink.url, store=store.url).start()
        for name in ("one", "two")
    )
    wire = hand_in(one, letter("killed"))
    until(lambda: two.status()["emails_sent_today"] == 1, "the acceptance to be noted")
    one.kill9()
    wire.close()

    retry_until_taken(two, letter("killed"))

    assert sink.message_ids() == [f"killed@{DOMAIN}"]


def test_a_retry_over_another_relay_while_the_first_lives_is_a_mail_of_its_own(
    make_relay: MakeRelay, make_store: MakeStore, sink: SinkThread, tmp_path: Path
) -> None:
    store, clock = make_store(), MovableClock(tmp_path / "clock")
    one, two = (
        make_relay(name=name, clock=clock, upstream=sink.url, store=store.url).start()
        for name in ("one", "two")
    )
    with Wire(one.port) as first, Wire(two.port) as second:
        assert first.send(SENDER, READER, letter("equal")).code == 250
        assert second.send(SENDER, READER, letter("equal")).code == 250
    assert sink.message_ids() == [f"equal@{DOMAIN}"] * 2


def test_two_equal_mails_on_one_connection_are_both_sent(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = make_relay(upstream=sink.url).start()
    with Wire(relay.port) as wire:
        assert [wire.send(SENDER, READER, letter("equal")).code for _ in range(3)] == [250] * 3
    assert sink.message_ids() == [f"equal@{DOMAIN}"] * 3


def test_two_equal_mails_on_two_connections_one_after_the_other_are_both_sent(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = make_relay(upstream=sink.url).start()
    with Wire(relay.port) as first, Wire(relay.port) as second:
        # The first client has heard, and says nothing more: it is still connected.
        assert first.send(SENDER, READER, letter("equal")).code == 250
        assert second.send(SENDER, READER, letter("equal")).code == 250
    assert sink.message_ids() == [f"equal@{DOMAIN}"] * 2


def test_two_equal_mails_at_the_same_time_are_both_sent(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = make_relay(upstream=sink.url).start()
    sink.script.add("DOT", late(0.5))
    wires = [hand_in(relay, letter("equal")) for _ in range(2)]

    assert [wire.read().code for wire in wires] == [250, 250]

    assert sink.message_ids() == [f"equal@{DOMAIN}"] * 2
    for wire in wires:
        wire.quit()


def test_mails_without_message_id_are_never_taken_for_retries(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = make_relay(upstream=sink.url).start()
    sink.once("DOT", late(0.5))
    hand_in(relay, mail(SENDER)).reset()
    until(lambda: relay.status()["emails_sent_today"] == 1, "the first to be settled")

    assert send(relay, mail(SENDER)).code == 250

    assert len(sink.contents()) == 2
    assert relay.status()["emails_sent_today"] == 2


@pytest.mark.slow
def test_killed_at_random_instants_nothing_that_was_noted_is_sent_twice(
    make_relay: MakeRelay, make_store: MakeStore, sink: SinkThread
) -> None:
    store = make_store()
    relay = make_relay(upstream=sink.url, store=store.url).start()
    rng = random.Random(20260304)
    for number in range(4):
        sent_before = relay.status()["emails_sent_today"]
        letters = [letter(f"{number}-{client}") for client in range(12)]
        with ThreadPoolExecutor(12) as pool:
            wires = list(pool.map(lambda content: hand_in(relay, content), letters))
            time.sleep(rng.uniform(0, 0.03))
            relay.kill9()
        for wire in wires:
            wire.close()
        taken = len(sink.contents())
        relay.restart()
        noted = relay.status()["emails_sent_today"] - sent_before

        with ThreadPoolExecutor(12) as pool:
            list(pool.map(lambda content: retry_until_taken(relay, content), letters))

        # Whatever the store knew of as sent was not sent again; the others were, once.
        assert len(sink.contents()) == taken + len(letters) - noted
        assert set(sink.message_ids()) >= {f"{number}-{c}@{DOMAIN}" for c in range(12)}
