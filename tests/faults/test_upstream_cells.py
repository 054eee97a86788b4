"""Every cell of the matrix through the real relay: one process, an upstream and a domain each.

First all of them with their failure, at the same time; then all of them again with upstreams
that work: one failure leaves nothing behind that the next message meets.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from tests.conftest import MakeRelay
from tests.faults.upstream_cells import CELLS, TAKEN, Outcome
from tests.faults.upstream_places import TIMEOUT_S, Place, Places
from tests.harness.certs import Authority
from tests.harness.relay_process import RelayProcess
from tests.harness.wire import Wire, WireReply, mail

AT_ONCE = 16
STEPS = 4
"""Deadlines that one message may meet one after the other: three of a handshake and a slot."""

SLACK_S = 12.0
"""For a machine that is busy with other things."""


def send(relay: RelayProcess, place: Place) -> tuple[WireReply, float]:
    sender = f"news@{place.domain}"
    filling = b"a line of text\r\n" * (place.cell.size_bytes // 16)
    with Wire(relay.port, timeout_s=STEPS * TIMEOUT_S + 2 * SLACK_S) as wire:
        assert wire.envelope(sender, "reader@example.org").code == 250
        began = time.monotonic()
        wire.hand_in(mail(sender) + filling)
        return wire.read(), time.monotonic() - began


def send_all(relay: RelayProcess, places: Iterable[Place]) -> list[tuple[WireReply, float]]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda place: send(relay, place), places))


def found_at(relay: RelayProcess, places: Places, replies: list[WireReply]) -> list[Outcome]:
    """What each place shows: counted, sent and got are sums since the start."""
    ran = relay.cli("status", "--json")
    assert ran.exit == 0, ran
    by_domain = {status["domain"]: status for status in ran.json}
    assert [d for d, status in by_domain.items() if status["reserved_now"]] == []
    return [
        Outcome(
            str(reply),
            by_domain[place.domain]["emails_sent_today"],
            by_domain[place.domain]["lifetime_sends"],
            len(place.sink.messages),
        )
        for place, reply in zip(places.all, replies, strict=True)
    ]


def check(places: Places, wanted: list[Outcome], found: list[Outcome]) -> None:
    """Every cell that is not as it should be, in one error."""
    wrong = [
        f"{place.cell.name}\n  wanted: {want}\n  found:  {saw}"
        for place, want, saw in zip(places.all, wanted, found, strict=True)
        if not saw.hears.startswith(want.hears)
        or (saw.counted, saw.sent, saw.got) != (want.counted, want.sent, want.got)
    ]
    assert not wrong, f"{len(wrong)} of {len(found)} cells\n" + "\n".join(wrong)


def after(first: Outcome) -> Outcome:
    """What a good message makes of it."""
    return Outcome(TAKEN.hears, first.counted + 1, first.sent + 1, first.got + 1)


def test_every_failure_at_every_verb_and_then_a_message_that_goes_through(
    make_relay: MakeRelay, authority: Authority, endings: ExitStack
) -> None:
    places = Places(CELLS, authority)
    endings.callback(places.close)
    places.each("open")
    routes = {p.domain: [{"upstream": p.name, "policy": "ramp"}] for p in places.all}
    relay = make_relay(
        domains={domain: {"routes": route} for domain, route in routes.items()},
        more={"upstreams": {p.name: p.config for p in places.all}},
    ).start()
    wanted = [place.cell.outcome for place in places.all]

    places.each("misbehave")
    heard = send_all(relay, places.all)
    check(places, wanted, found_at(relay, places, [reply for reply, _ in heard]))
    slow = [f"{p.cell.name}: {s:.1f} s" for p, (_, s) in zip(places.all, heard, strict=True)
            if s > STEPS * TIMEOUT_S + SLACK_S]  # fmt: skip
    assert not slow

    places.each("recover")
    again = [reply for reply, _ in send_all(relay, places.all)]
    check(places, [after(each) for each in wanted], found_at(relay, places, again))
    assert "background work failed" not in relay.log_tail()
