"""`serve --workers N`: several processes, one relay."""

from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack

import pytest

from tests.conftest import MakeRelay, MakeSink, MakeStore
from tests.harness.clock import MovableClock
from tests.harness.cluster import Cluster
from tests.harness.load import storm
from tests.harness.ports import is_listening
from tests.harness.relay_config import DOMAIN, calendar
from tests.harness.relay_process import RelayProcess
from tests.harness.smtp_script import late
from tests.harness.upstream import SinkThread
from tests.harness.waiting import until
from tests.harness.wire import Wire, mail
from tests.harness.workers import children, is_running, kill_worker, messages_by_worker, workers

SENDER = f"news@{DOMAIN}"
TWO = {"workers": 2}
BAD = "descripton: x\nramp: {advance: calendar-days, tiers: [{from: 0, cap: 9}]}\n"


def both_serve(relay: RelayProcess) -> bool:
    return relay.metric("relay_workers") == 2


@pytest.fixture(params=["embedded", pytest.param("external", marks=pytest.mark.slow), "cluster"])
def store(request: pytest.FixtureRequest, make_store: MakeStore, endings: ExitStack) -> str:
    """What stands behind `store:`."""
    if request.param == "embedded":
        return "embedded"
    if request.param == "external":
        return make_store().url
    cluster = Cluster()
    endings.callback(cluster.close)
    return cluster.start().url.replace("://", "://relay:relay@")


def test_both_workers_take_mail_and_one_page_tells_what_the_clients_saw(
    make_relay: MakeRelay, make_sink: MakeSink, store: str
) -> None:
    sink = make_sink()
    relay = make_relay(upstream=sink.url, store=store, policies={"ramp": calendar(300)})
    relay.options = ("--workers", "2")
    relay.start()

    told = storm([relay.port], SENDER, clients=24, each=20)

    assert told.replies == {"250 2.0.0": 300, "451 4.7.1": 180}
    assert set(sink.message_ids()) == told.taken
    # A line may wait a moment for others.
    until(lambda: sum(messages_by_worker(relay).values()) >= 480, "the last lines of the log")
    by_worker = messages_by_worker(relay)
    assert sorted(by_worker) == ["worker 1", "worker 2"], by_worker
    assert sum(by_worker.values()) == 480
    assert relay.metric("relay_messages_total", outcome="forwarded") == 300
    assert relay.metric("relay_messages_total", outcome="deferred") == 180
    assert relay.metric("relay_deferrals_total", wall="domain") == 180
    assert relay.metric("relay_stage_seconds_count", stage="forward") == 300
    assert relay.metric("relay_stage_seconds_bucket", stage="forward", le="+Inf") == 300
    assert relay.metric("relay_quota_sent") == 300
    assert relay.metric("relay_workers") == relay.metric("relay_workers_wanted") == 2
    assert relay.status()["emails_sent_today"] == 300


def test_the_page_of_several_workers_is_clean_by_promtool(make_relay: MakeRelay) -> None:
    relay = make_relay(more=TWO).start()
    wires = [Wire(relay.port) for _ in range(12)]
    wires[0].send(SENDER, "reader@example.org", mail(SENDER))
    assert relay.metric("relay_connections") == 12
    body = relay.http("/metrics").body
    for wire in wires:
        wire.quit()
    until(lambda: relay.metric("relay_connections") == 0, "the connections to be gone")

    for name in ("supervisor", "worker 1", "worker 2"):
        assert f'process_resident_memory_bytes{{process="{name}"}}' in body
    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        input=body, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_ready_names_each_worker(make_relay: MakeRelay) -> None:
    relay = make_relay(more=TWO).start()
    body = relay.http("/readyz").body
    assert '"worker 1": "ok", "worker 2": "ok", "store": "ok"' in body


def test_a_retry_after_a_worker_was_killed_is_not_a_second_mail(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = make_relay(upstream=sink.url, more=TWO).start()
    wire = Wire(relay.port)
    assert wire.envelope(SENDER, "reader@example.org").code == 250
    wire.hand_in(mail(SENDER, message_id=f"killed@{DOMAIN}"))
    until(lambda: relay.status()["emails_sent_today"] == 1, "the acceptance to be noted")
    until(lambda: messages_by_worker(relay), "its line in the log")
    [owner] = messages_by_worker(relay)
    kill_worker(relay, owner)
    wire.close()  # never read a byte of the answer

    def taken() -> bool:
        try:
            with Wire(relay.port) as again:
                content = mail(SENDER, message_id=f"killed@{DOMAIN}")
                return again.send(SENDER, "reader@example.org", content).code == 250
        except OSError:  # it was in the dead worker's backlog
            return False

    until(taken, "the retry to be taken", timeout_s=20, every_s=0.3, detail=relay.log_tail)
    assert sink.message_ids() == [f"killed@{DOMAIN}"]
    assert relay.status()["emails_sent_today"] == 1


def test_kill_9_of_the_supervisor_leaves_no_process_and_a_restart_works_at_once(
    make_relay: MakeRelay,
) -> None:
    relay = make_relay(more=TWO).start()
    with Wire(relay.port) as wire:
        assert wire.send(SENDER, "reader@example.org", mail(SENDER)).code == 250
    family = children(relay.child.pid)
    assert len(family) >= 3, "two workers and the store"

    relay.kill9()

    until(lambda: not any(map(is_running, family)), "all to die", timeout_s=5)
    relay.restart()
    assert relay.status()["emails_sent_today"] == 1
    with Wire(relay.port) as wire:
        assert wire.send(SENDER, "reader@example.org", mail(SENDER)).code == 250


def test_sigterm_lets_every_worker_finish_what_is_under_way(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = make_relay(upstream=sink.url, more=TWO).start()
    family = children(relay.child.pid)
    sink.script.add("DOT", late(2.0))
    # The system deals connections out by chance: none for a worker has odds of 1 to 2**18.
    *busy, idle = [Wire(relay.port) for _ in range(21)]
    for number, wire in enumerate(busy):
        assert wire.envelope(SENDER, "reader@example.org").code == 250
        wire.hand_in(mail(SENDER, message_id=f"{number}@{DOMAIN}"))
    until(lambda: len(sink.contents()) == 20, "the upstream to have them")

    relay.child.send(15)

    until(lambda: not is_listening(relay.port), "the listeners to close")
    farewell = idle.do(f"MAIL FROM:<{SENDER}>")
    assert (farewell.code, farewell.enhanced) == (421, "4.3.2")
    assert [wire.read().code for wire in busy] == [250] * 20
    assert relay.child.wait(15) == 0
    assert not any(map(is_running, family))
    assert sorted(messages_by_worker(relay)) == ["worker 1", "worker 2"]
    assert not list((relay.home / "var").glob("workers*"))
    relay.restart()
    assert relay.status()["emails_sent_today"] == 20


def test_all_workers_take_a_good_edit_and_refuse_a_bad_one_and_so_does_one_that_is_new(
    make_relay: MakeRelay,
) -> None:
    relay = make_relay(policies={"ramp": calendar(3)}, more=TWO).start()
    relay.config.write_policy(relay.home, "ramp", calendar(40))
    relay.hang_up()
    until(lambda: relay.metric("relay_quota_cap") == 40, "the new cap", timeout_s=15)
    until(lambda: reloaded(relay) == 2, "both workers to have it", detail=relay.log_tail)

    relay.config.write_policy(relay.home, "ramp", BAD)
    relay.hang_up()
    until(lambda: relay.metric("relay_policy_reload_failed") == 1, "the refusal", timeout_s=15)
    for name in ("worker 1", "worker 2"):
        kill_worker(relay, name)
        until(lambda: relay.metric("relay_workers") == 1, "the death to be seen", every_s=0.01)
        until(lambda: both_serve(relay), "a new worker", timeout_s=15, detail=relay.log_tail)

    assert relay.metric("relay_worker_restarts_total") == 2
    told = storm([relay.port], SENDER, clients=8, each=8)
    assert told.replies == {"250 2.0.0": 40, "451 4.7.1": 24}, "the config in force, not the file"
    until(lambda: relay.metric("relay_policy_reload_failed") == 1, "the new ones to refuse it")

    relay.config.write_policy(relay.home, "ramp", calendar(50))
    relay.hang_up()
    until(lambda: relay.metric("relay_policy_reload_failed") == 0, "it to be mended", timeout_s=15)


def reloaded(relay: RelayProcess) -> int:
    events = [line for line in relay.log_lines() if line.get("event") == "settings.reloaded"]
    return len({line["process"] for line in events if "process" in line})


def test_every_worker_reads_the_clock_file(make_relay: MakeRelay, clock: MovableClock) -> None:
    relay = make_relay(clock=clock, policies={"ramp": calendar(10)}, more=TWO).start()
    for _ in range(3):
        told = storm([relay.port], SENDER, clients=12, each=2)
        assert told.replies == {"250 2.0.0": 10, "451 4.7.1": 14}
        clock.move(days=1)
    assert len(messages_by_worker(relay)) == 2


@pytest.fixture
def clock(tmp_path_factory: pytest.TempPathFactory) -> MovableClock:
    return MovableClock(tmp_path_factory.mktemp("clock") / "clock")


@pytest.mark.parametrize(
    ("holder", "newcomer"), [(1, 2), (2, 1), pytest.param(2, 2, marks=pytest.mark.slow)]
)
def test_a_port_that_is_taken_is_a_clear_error(
    make_relay: MakeRelay, holder: int, newcomer: int
) -> None:
    first = make_relay(name="first", more={"workers": holder}).start()
    ports = first.config.smtp_ports
    second = make_relay(name="second", smtp_ports=ports, more={"workers": newcomer})

    child = second.launch()

    assert child.wait(15) == 1
    assert str(first.port) in child.tail()
    assert "Traceback" not in child.tail()
    with Wire(first.port) as wire:
        assert wire.send(SENDER, "reader@example.org", mail(SENDER)).code == 250


@pytest.mark.parametrize("count", [1, 2])
def test_workers_that_cannot_start_end_the_start_with_their_reason(
    make_relay: MakeRelay, count: int
) -> None:
    files = {"certificate": "gone.crt", "key": "gone.key"}
    relay = make_relay(listeners=[{"tls": "implicit", **files}], more={"workers": count})

    child = relay.launch()

    assert child.wait(30) == 1
    assert "warmup-relay: " in child.tail()
    assert "gone.crt" in child.tail()
    assert "Traceback" not in child.tail()


def test_a_supervisor_killed_while_its_workers_begin_leaves_none_of_them(
    make_relay: MakeRelay,
) -> None:
    relay = make_relay(more=TWO)
    child = relay.launch()
    until(lambda: len(workers(relay)) == 2, "the workers to begin", timeout_s=20, every_s=0.005)
    time.sleep(0.1)  # they have their orders by now, and still import what they need
    family = children(child.pid)
    assert not is_listening(relay.port), "they have come up already: too late to show it"

    relay.kill9()

    until(lambda: not any(map(is_running, family)), "all to die", timeout_s=15)
