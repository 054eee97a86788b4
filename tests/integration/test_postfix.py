"""A real MTA in front of the relay: its own queue brings the rest through on later days."""

from __future__ import annotations

import smtplib
from contextlib import ExitStack

from tests.conftest import MakePostfix, MakeRelay, MakeSink
from tests.harness.postfix import Postfix
from tests.harness.relay_config import DOMAIN, calendar
from tests.harness.smtp_sink import Offers
from tests.harness.upstream import SinkProcess, SinkThread
from tests.harness.waiting import until
from tests.harness.wire import mail

MESSAGES = 300
CAP = 100
UMLAUTS = (
    f"From: news@{DOMAIN}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: 8bit\r\n\r\nGr\u00fc\u00dfe\r\n"
).encode()


def letter(number: int) -> tuple[str, str, bytes]:
    sender = f"news@{DOMAIN}"
    content = mail(sender, message_id=f"{number}@{DOMAIN}", subject=f"Issue {number}")
    return sender, f"reader{number}@example.org", content


def both_ends(postfix: Postfix, sink: SinkProcess) -> tuple[int, int]:
    return len(postfix.queue()), len(sink.message_ids())


def test_300_queued_messages_meet_a_cap_of_100_and_all_arrive_within_three_days(
    make_relay: MakeRelay, make_sink: MakeSink, make_postfix: MakePostfix
) -> None:
    sink = make_sink()
    relay = make_relay(upstream=sink.url, policies={"ramp": calendar(CAP)}).start()
    postfix = make_postfix(relay.port, holding=True)
    postfix.inject(MESSAGES, letter)
    until(lambda: both_ends(postfix, sink) == (MESSAGES, 0), "all to be queued", timeout_s=15)
    postfix.release()

    for day, (waiting, there) in enumerate([(200, 100), (100, 200), (0, 300)]):
        if day:
            relay.clock.move(days=1)
            postfix.flush()
        until(
            lambda there=there: len(sink.message_ids()) >= there and postfix.settled(),
            f"day {day} to be over",
            timeout_s=30,
            detail=postfix.log,
        )
        assert both_ends(postfix, sink) == (waiting, there)
        assert (relay.status()["warmup_day"], relay.status()["remaining_today"]) == (day, 0)

    wanted = sorted(f"{number}@{DOMAIN}" for number in range(MESSAGES))
    assert sorted(sink.message_ids()) == wanted
    assert sorted(sink.recipients()) == sorted(letter(n)[1] for n in range(MESSAGES))


def test_the_deferred_come_through_by_themselves_after_the_window_turns(
    make_relay: MakeRelay, make_sink: MakeSink, make_postfix: MakePostfix
) -> None:
    sink = make_sink()
    relay = make_relay(upstream=sink.url, policies={"ramp": calendar(10)}).start()
    postfix = make_postfix(relay.port, backoff_s=1)
    postfix.inject(15, letter)
    until(lambda: len(sink.message_ids()) == 10, "the first day", detail=postfix.log)

    relay.clock.move(days=1)

    until(lambda: both_ends(postfix, sink) == (0, 15), "the rest", timeout_s=20, detail=postfix.log)
    assert len(set(sink.message_ids())) == 15


def test_mail_in_8_bits_is_converted_for_an_upstream_that_takes_7(
    make_relay: MakeRelay, make_postfix: MakePostfix, endings: ExitStack
) -> None:
    sink = SinkThread(Offers(eightbitmime=False))
    endings.callback(sink.end)
    postfix = make_postfix(make_relay(upstream=sink.url).start().port)

    with smtplib.SMTP("127.0.0.1", postfix.port, timeout=30) as session:
        session.sendmail(f"news@{DOMAIN}", ["reader@example.org"], UMLAUTS, ["BODY=8BITMIME"])

    until(sink.contents, "it to arrive", timeout_s=20, detail=postfix.log)
    assert sink.contents()[0].endswith(b"quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n")
