"""Clients that vanish at every step, drip, or never read, through the real relay.

The upstream takes its time over the final dot, so that a client can leave before the reply.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from tests.conftest import MakeRelay
from tests.faults.client_cells import CELLS, MODES, Cell
from tests.harness.relay_config import DOMAIN, calendar
from tests.harness.relay_process import RelayProcess
from tests.harness.smtp_script import late
from tests.harness.upstream import SinkThread
from tests.harness.waiting import until
from tests.harness.wire import Wire, mail

AT_ONCE = 12
OVER_THE_DOT_S = 0.5
COMMAND_S, DATA_S = 2.0, 0.5
DATA_TIMEOUTS = 20
SLACK_S = 8.0
"""For a machine that is busy with other things."""

IMPATIENT = {"limits": {"command_timeout": f"{COMMAND_S:g}s", "data_timeout": "500ms"}}
SENDER = f"news@{DOMAIN}"


def modes() -> dict[str, dict[str, object]]:
    return {mode: calendar(100, recipients=mode) for mode in MODES}


def numbers(relay: RelayProcess) -> dict[str, tuple[int, int, int]]:
    """By domain: charged to the window, counted by the ramp, reserved."""
    found = relay.cli("status", "--json").json
    keys = ("emails_sent_today", "lifetime_sends", "reserved_now")
    return {status["domain"]: tuple(status[key] for key in keys) for status in found}


def all_gone(relay: RelayProcess) -> None:
    until(
        lambda: relay.metric("relay_connections") == 0,
        "every session to end",
        timeout_s=15,
        detail=relay.log_tail,
    )


def test_leaving_at_every_step_charges_what_was_sent_and_sends_it_once(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    sink.script.add("DOT", late(OVER_THE_DOT_S))
    domains = {c.domain: {"routes": [{"upstream": "outbound", "policy": c.mode}]} for c in CELLS}
    relay = make_relay(upstream=sink.url, policies=modes(), domains=domains).start()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        heard = list(pool.map(lambda cell: cell.walk(relay, sink), CELLS))
    all_gone(relay)

    found = numbers(relay)
    wrong = [
        f"{cell.name}: {found[cell.domain]}, there {cell.arrived(sink)}"
        for cell in CELLS
        if (*found[cell.domain], cell.arrived(sink)) != (cell.is_sent, cell.is_sent, 0, cell.is_sent)
    ]  # fmt: skip
    assert not wrong, "\n".join(wrong)
    for cell, said in zip(CELLS, heard, strict=True):
        if (cell.step, cell.way) == ("dot", "half-close"):
            assert "\n250 2.0.0" in f"\n{said}", f"{cell.name} heard {said!r}"

    sink.script.clear()
    unheard = [c for c in CELLS if c.step == "dot" and c.way != "half-close"]
    fresh = [c for c in CELLS if not c.is_sent]
    check_again(unheard, relay, sink, "not sent again")
    check_again(fresh, relay, sink, "queued")


def check_again(cells: list[Cell], relay: RelayProcess, sink: SinkThread, hears: str) -> None:
    """Each tries again: it hears so, and its message is at the upstream once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        replies = list(pool.map(lambda cell: cell.again(relay), cells))
    for cell, reply in zip(cells, replies, strict=True):
        assert reply.startswith("250 2.0.0"), f"{cell.name}: {reply}"
        assert hears in reply, f"{cell.name}: {reply}"
        assert cell.arrived(sink) == 1, cell.name


@pytest.fixture
def relay(make_relay: MakeRelay, sink: SinkThread) -> Iterator[RelayProcess]:
    """One that waits for nobody for long, and has nothing left at the end."""
    started = make_relay(upstream=sink.url, more=IMPATIENT).start()
    yield started
    all_gone(started)
    assert numbers(started)[DOMAIN] == (0, 0, 0)
    assert sink.message_ids() == []


def seconds_until_left(wire: Wire, every_s: float, data: bytes, within_s: float) -> float:
    """Send `data` byte by byte; the seconds until the relay has closed."""
    began = time.monotonic()
    wire.connection.settimeout(0.001)
    with suppress(ConnectionError):
        for byte in data:
            wire.write(bytes([byte]))
            time.sleep(every_s)
            with suppress(TimeoutError):
                if not wire.connection.recv(65_536):
                    break
            assert time.monotonic() - began < within_s, "it still waits"
        else:
            raise AssertionError("it took all of it")
    return time.monotonic() - began


def test_a_command_that_drips_has_the_time_of_one_command(relay: RelayProcess) -> None:
    with Wire(relay.port) as wire:
        command = b"MAIL FROM:<" + b"a" * 200
        took_s = seconds_until_left(wire, 0.25, command, COMMAND_S + SLACK_S)
    assert took_s >= COMMAND_S / 2


def test_a_body_that_drips_has_a_bounded_time(relay: RelayProcess) -> None:
    with Wire(relay.port) as wire:
        assert wire.envelope(SENDER, "reader@example.org").code == 250
        assert wire.do("DATA").code == 354
        longest_s = DATA_TIMEOUTS * DATA_S
        took_s = seconds_until_left(wire, 0.1, mail(SENDER) * 20, longest_s + SLACK_S)
    assert took_s >= longest_s / 2, "a slow line is no reason to hang up"


def test_a_client_that_never_reads_is_left_and_costs_little(relay: RelayProcess) -> None:
    before_bytes = relay.child.rss_bytes()
    wires = [Wire(relay.port) for _ in range(10)]
    for wire in wires:
        wire.connection.settimeout(0.5)
        # A small window: it is soon full, and the relay soon stopped.
        wire.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
    with ThreadPoolExecutor(len(wires)) as pool:
        list(pool.map(pour, wires))
    grown_bytes = relay.child.rss_bytes() - before_bytes
    all_gone(relay)
    for wire in wires:
        wire.close()
    assert grown_bytes < 40_000_000


def pour(wire: Wire) -> None:
    """As many commands as the relay takes without one of its replies being read."""
    with suppress(OSError):
        for _ in range(2_000):
            wire.connection.sendall(b"HELP\r\n" * 10_000)
