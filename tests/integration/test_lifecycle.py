"""How the relay ends: by request, by force, and when it may not begin."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.conftest import MakeRelay
from tests.harness.ports import is_listening
from tests.harness.relay_config import DOMAIN
from tests.harness.relay_process import COMMAND, READY_S, STOP_S
from tests.harness.smtp_script import late, stall
from tests.harness.upstream import SinkThread
from tests.harness.waiting import until
from tests.harness.wire import Wire, mail
from tests.harness.workers import children, is_running

SENDER = f"news@{DOMAIN}"


def hand_in(wire: Wire, name: str) -> None:
    assert wire.envelope(SENDER, "reader@example.org").code == 250
    wire.hand_in(mail(SENDER, message_id=f"{name}@{DOMAIN}"))


def test_sigterm_finishes_what_is_under_way_and_421s_the_rest(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = make_relay(upstream=sink.url).start()
    sink.once("DOT", late(2.0))
    with Wire(relay.port) as busy, Wire(relay.port) as idle:
        hand_in(busy, "drained")
        until(lambda: len(sink.contents()) == 1, "the upstream to have it")

        relay.child.send(15)
        until(lambda: not is_listening(relay.port), "the listener to close")
        new = idle.do(f"MAIL FROM:<{SENDER}>")
        answer = busy.read()

    assert (new.code, new.enhanced) == (421, "4.3.2"), new
    assert answer.code == 250, answer
    assert relay.child.wait(15) == 0
    relay.restart()
    assert relay.status()["emails_sent_today"] == 1
    assert relay.status()["reserved_now"] == 0


def test_sigterm_ends_within_its_deadline_even_if_the_upstream_never_answers(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = make_relay(upstream=sink.url, more={"limits": {"shutdown": "2s"}}).start()
    sink.script.add("DOT", stall())
    with Wire(relay.port) as wire:
        hand_in(wire, "stuck")
        until(lambda: len(sink.contents()) == 1, "the upstream to have it")
        relay.sigterm(timeout_s=12)
    relay.restart()
    status = relay.status()
    assert status["remaining_today"] == 99, "unknown is charged"


@pytest.mark.parametrize("api", [False, True])
@pytest.mark.parametrize("workers", [1, 2])
def test_who_is_stopping_is_not_ready_while_it_drains(
    make_relay: MakeRelay, sink: SinkThread, workers: int, *, api: bool
) -> None:
    relay = make_relay(upstream=sink.url, api=api, more={"workers": workers}).start()
    sink.once("DOT", late(4.0))
    with Wire(relay.port) as busy:
        hand_in(busy, "drained")
        until(lambda: len(sink.contents()) == 1, "the upstream to have it")
        relay.child.send(15)
        until(lambda: not is_listening(relay.port), "the listener to close")

        if api:
            until(lambda: "web stopped" in relay.log_tail(), "the web process to end")
        ready, healthy = relay.http("/readyz"), relay.http("/healthz")
        counted = relay.http("/metrics")
        answer = busy.read()

    assert (ready.status, "stopping" in ready.body) == (503, True), ready
    assert healthy.status == 200
    assert "relay_connections" in counted.body
    assert answer.code == 250, answer


def test_sigterm_when_idle_ends_at_once_with_status_0(make_relay: MakeRelay) -> None:
    relay = make_relay().start()
    assert relay.sigterm(timeout_s=8) == 0


def test_sigterm_does_not_wait_for_an_upstream_that_a_reload_has_replaced(
    make_relay: MakeRelay,
) -> None:
    relay = make_relay(upstream="maildir:before").start()
    relay.config.upstream = "maildir:after"
    relay.config.write(relay.home)
    relay.hang_up()
    until(lambda: "settings.reloaded" in relay.log_tail(), "the reload", detail=relay.log_tail)
    assert relay.sigterm(timeout_s=8) == 0


def test_sighup_while_it_begins_does_not_end_it(make_relay: MakeRelay) -> None:
    """As `systemctl reload`, which may come right behind the start, or a certificate's hook."""
    relay = make_relay()
    child = relay.launch()
    until(lambda: b"serving" in Path(f"/proc/{child.pid}/cmdline").read_bytes(), "its last exec")

    def is_ready() -> bool:
        relay.hang_up()
        return child.returncode is not None or relay.http("/readyz").status == 200

    until(is_ready, "the relay to be ready", timeout_s=READY_S, detail=relay.log_tail)

    assert child.returncode is None, relay.log_tail()
    assert relay.sigterm() == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_signals_while_it_stops_change_nothing(make_relay: MakeRelay, workers: int) -> None:
    """A terminal that is closed sends several. It ends as at the first, and reads nothing more."""
    relay = make_relay(api=True, more={"workers": workers}).start()
    relay.child.send(signal.SIGTERM)

    def has_ended() -> bool:
        relay.hang_up()
        relay.child.send(signal.SIGTERM)
        return relay.child.returncode is not None

    until(has_ended, "its end", timeout_s=STOP_S, every_s=0.005, detail=relay.log_tail)

    assert relay.child.returncode == 0, relay.log_tail()
    assert "Traceback" not in relay.log_tail()
    told = [line for line in relay.log_lines() if line.get("level") in {"warning", "error"}]
    assert [line["event"] for line in told] == ["SIMULATED CLOCK: caps follow a file, not the time"]


def test_a_log_that_nobody_reads_holds_nothing_up(make_relay: MakeRelay) -> None:
    """A pipe that is full would take mail, health checks and SIGTERM with it."""
    relay = make_relay()
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    command = [*COMMAND, "serve", "--config", relay.config_path]
    with subprocess.Popen(command, cwd=relay.home, stderr=writing) as served:
        try:
            until(lambda: relay.http("/readyz").status == 200, "it to serve", timeout_s=READY_S)
            with Wire(relay.port) as wire:
                for _ in range(40):
                    assert wire.send(SENDER, "reader@example.org", mail(SENDER)).code == 250
            assert relay.http("/healthz").status == 200
            served.terminate()
            assert served.wait(STOP_S) == 0
        finally:
            served.kill()
            os.close(reading)
            os.close(writing)


def test_the_embedded_store_dies_with_a_relay_that_is_killed(make_relay: MakeRelay) -> None:
    relay = make_relay().start()
    stores = children(relay.child.pid)
    assert stores

    relay.kill9()

    until(lambda: not any(map(is_running, stores)), "the store to die", timeout_s=5)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_was_sent_is_still_counted_after_kills_at_the_answer(
    make_relay: MakeRelay, workers: int
) -> None:
    """The store reads what it was sent before it ends, though its sender is dead."""
    relay = make_relay(more={"workers": workers}).start()
    for sent in range(1, 6):
        with Wire(relay.port) as wire:
            letter = mail(SENDER, message_id=f"{sent}@{DOMAIN}")
            assert wire.send(SENDER, "reader@example.org", letter).code == 250
            relay.kill9()
        relay.restart()
        status = relay.status()
        assert (status["emails_sent_today"], status["reserved_now"]) == (sent, 0)


def test_a_second_relay_on_the_same_data_directory_is_refused(make_relay: MakeRelay) -> None:
    first = make_relay(name="first").start()
    second = make_relay(name="second", more={"data_dir": str(first.home / "var")})

    child = second.launch()

    assert child.wait(15) == 1
    assert str(first.home / "var") in child.tail()
    assert "Traceback" not in child.tail()
    with Wire(first.port) as wire:
        assert wire.send(SENDER, "reader@example.org", mail(SENDER)).code == 250


def test_a_data_directory_that_is_a_file_is_a_clear_error(make_relay: MakeRelay) -> None:
    relay = make_relay()
    (relay.home / "var").write_text("a file")

    child = relay.launch()

    assert child.wait(15) == 1
    assert f"cannot use {relay.home / 'var'}" in child.tail()
    assert "Traceback" not in child.tail()


def test_a_data_directory_that_takes_no_note_is_a_clear_error(make_relay: MakeRelay) -> None:
    """With a store elsewhere, nothing else may need to write there."""
    relay = make_relay()
    (relay.home / "var" / "serving.json").mkdir(parents=True)

    child = relay.launch()

    assert child.wait(15) == 1
    assert f"warmup-relay: cannot use {relay.home / 'var'}: " in child.tail()
    assert "Traceback" not in child.tail()
    assert '"serving"' not in child.tail()


def test_a_port_that_is_taken_is_a_clear_error(make_relay: MakeRelay) -> None:
    first = make_relay(name="first").start()
    second = make_relay(name="second", smtp_ports=first.config.smtp_ports)

    child = second.launch()

    assert child.wait(15) == 1
    assert str(first.port) in child.tail()
    assert "Traceback" not in child.tail()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("api", [False, True])
def test_a_web_address_that_is_taken_is_named(
    make_relay: MakeRelay, host: str, *, api: bool
) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as other:
        other.bind((host, 0))
        other.listen()
        port = other.getsockname()[1]
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        child = make_relay(more={"web": {"address": address, "api": api}}).launch()

        assert child.wait(15) == 1

    assert f"cannot listen on {address}: Address already in use" in child.tail()
    assert "Traceback" not in child.tail()


def test_nobody_else_on_the_machine_can_read_the_embedded_store(make_relay: MakeRelay) -> None:
    relay = make_relay().start()
    data = relay.home / "var"
    private = [path for path in data.rglob("*") if path.is_socket() or "aof" in path.name]
    assert private
    for path in private:
        way = [part for part in (path, *path.parents) if part.is_relative_to(data)]
        assert any(not part.stat().st_mode & 0o077 for part in way), f"{path} is open to others"
