"""Policies and tenants are reloaded under load; a bad edit changes nothing (rule 6)."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from tests.conftest import MakeRelay
from tests.harness.certs import Authority
from tests.harness.load import storm
from tests.harness.relay_config import DOMAIN, calendar
from tests.harness.relay_process import RelayProcess
from tests.harness.upstream import SinkThread
from tests.harness.waiting import until
from tests.harness.wire import Wire, mail

SENDER = f"news@{DOMAIN}"
BAD = {
    "unknown key": "descripton: x\nramp: {advance: calendar-days, tiers: [{from: 0, cap: 9}]}\n",
    "no yaml": "ramp: [unclosed\n",
    "falling thresholds": (
        "description: x\nsource: y\n"
        "ramp: {advance: calendar-days, tiers: [{from: 0, cap: 1}, {from: 0, cap: 2}]}\n"
    ),
}


def edit(relay: RelayProcess, policy: object, *, by_signal: bool) -> None:
    relay.config.write_policy(relay.home, "ramp", policy)
    if by_signal:
        relay.hang_up()


def limit_is(relay: RelayProcess, cap: int) -> None:
    until(
        lambda: relay.metric("relay_quota_cap", domain=DOMAIN) == cap,
        f"a cap of {cap}",
        timeout_s=15,
        detail=relay.log_tail,
    )


@pytest.mark.parametrize("by_signal", [False, True], ids=["file edit", "SIGHUP"])
def test_an_edit_changes_the_cap_at_once_and_what_was_sent_stays_counted(
    make_relay: MakeRelay, by_signal: bool
) -> None:
    relay = make_relay(policies={"ramp": calendar(3)}).start()
    with Wire(relay.port) as wire:
        codes = [wire.send(SENDER, "r@example.org", mail(SENDER)).code for _ in range(4)]
        assert codes == [250, 250, 250, 451]

        edit(relay, calendar(5), by_signal=by_signal)
        limit_is(relay, 5)
        codes = [wire.send(SENDER, "r@example.org", mail(SENDER)).code for _ in range(3)]
        assert codes == [250, 250, 451]

        edit(relay, calendar(2), by_signal=by_signal)
        limit_is(relay, 2)
        reply = wire.send(SENDER, "r@example.org", mail(SENDER))
        assert "5 of 2 sent today" in reply.text


def test_a_bad_edit_is_refused_whole_and_told_in_log_and_metric(make_relay: MakeRelay) -> None:
    relay = make_relay(policies={"ramp": calendar(3)}).start()
    assert relay.metric("relay_policy_reload_failed") == 0
    for cap, what in enumerate(BAD, 3):
        edit(relay, BAD[what], by_signal=True)
        until(lambda: relay.metric("relay_policy_reload_failed") == 1, what, timeout_s=15)

        assert relay.metric("relay_quota_cap", domain=DOMAIN) == cap, what
        refusals = [e for e in relay.log_lines() if e["event"] == "settings.reload_refused"]
        assert "ramp.yaml:" in refusals[-1]["problems"][0], what
        assert len({str(each["problems"]) for each in refusals}) == cap - 2, what
        with Wire(relay.port) as wire:
            assert wire.send(SENDER, "r@example.org", mail(SENDER)).code == 250
        assert relay.cli("check", "--json").exit == 1, what

        edit(relay, calendar(cap + 1), by_signal=True)
        limit_is(relay, cap + 1)
        assert relay.metric("relay_policy_reload_failed") == 0


def test_an_upstream_whose_authorities_cannot_be_read_stays_as_it_was(
    make_relay: MakeRelay, sink: SinkThread, authority: Authority
) -> None:
    def still_sends() -> None:
        with Wire(relay.port) as wire:
            assert wire.send(SENDER, "r@example.org", mail(SENDER)).code == 250

    relay = make_relay(upstream=sink.url).start()
    relay.config.upstream = {"url": sink.url, "ca_file": "ca.pem"}
    relay.config.write(relay.home)
    relay.hang_up()
    until(lambda: relay.metric("relay_policy_reload_failed") == 1, "the refusal", timeout_s=15)
    still_sends()

    shutil.copy(authority.ca_file, relay.home / "ca.pem")
    until(lambda: relay.metric("relay_policy_reload_failed") == 0, "the reload", timeout_s=15)
    still_sends()


@pytest.mark.parametrize(
    ("gone", "by_signal"),
    [
        ("removed", False),
        pytest.param("removed", True, marks=pytest.mark.slow),
        pytest.param("renamed", False, marks=pytest.mark.slow),
        ("renamed", True),
    ],
)
def test_a_policy_that_is_gone_while_in_use_stays_in_force_and_its_route_is_named(
    make_relay: MakeRelay, gone: str, by_signal: bool
) -> None:
    relay = make_relay(policies={"ramp": calendar(3), "other": calendar(7)}).start()
    file = relay.home / "policies" / "ramp.yaml"
    whole = file.read_text()
    if gone == "renamed":
        file.rename(file.with_name("slope.yaml"))
    else:
        file.unlink()
    if by_signal:
        relay.hang_up()
    until(lambda: relay.metric("relay_policy_reload_failed") == 1, "the refusal", timeout_s=15)

    lines = relay.config_path.read_text().splitlines()
    at = next(number for number, line in enumerate(lines, 1) if "policy: ramp" in line)
    column = lines[at - 1].index("ramp") + 1
    place = f"{relay.config_path}:{at}:{column}: unknown policy"
    refusals = [line for line in relay.log_lines() if line["event"] == "settings.reload_refused"]
    assert all(place in line["problems"][0] for line in refusals)
    assert place in relay.cli("check", "--offline").out

    assert relay.metric("relay_quota_cap", domain=DOMAIN) == 3
    with Wire(relay.port) as wire:
        codes = [wire.send(SENDER, "r@example.org", mail(SENDER)).code for _ in range(4)]
    assert codes == [250, 250, 250, 451]
    assert relay.metric("relay_policy_reload_failed") == 1

    file.write_text(whole.replace("cap: 3", "cap: 4"))
    if by_signal:
        relay.hang_up()
    limit_is(relay, 4)
    assert relay.metric("relay_policy_reload_failed") == 0


def test_a_new_domain_may_send_after_a_reload_and_no_connection_is_dropped(
    make_relay: MakeRelay,
) -> None:
    relay = make_relay().start()
    with Wire(relay.port) as wire:
        assert wire.do("MAIL FROM:<x@shop.acme.example>").code == 550
        wire.do("RSET")

        relay.config.domains["shop.acme.example"] = "ramp"
        relay.config.write(relay.home)
        relay.hang_up()

        def may_send() -> bool:
            reply = wire.do("MAIL FROM:<x@shop.acme.example>")
            wire.do("RSET")
            return reply.code == 250

        until(may_send, "the new domain", timeout_s=15, every_s=0.5, detail=relay.log_tail)


def test_under_load_reloads_drop_no_connection_and_the_last_cap_holds(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = make_relay(upstream=sink.url, policies={"ramp": calendar(100)}).start()
    stop = Event()
    with ThreadPoolExecutor(1) as pool:
        storming = pool.submit(storm, [relay.port], SENDER, clients=8, each=100_000, stop=stop)
        for cap in (150, 200, 400):
            edit(relay, calendar(cap), by_signal=cap != 200)
            limit_is(relay, cap)
            edit(relay, BAD["unknown key"], by_signal=True)
            until(lambda: relay.metric("relay_policy_reload_failed") == 1, "the refusal")
        until(lambda: len(sink.contents()) >= 400, "the cap", timeout_s=20)
        stop.set()
        told = storming.result(timeout=30)

    assert not told.lost
    assert set(told.replies) == {"250 2.0.0", "451 4.7.1"}
    assert len(sink.contents()) == told.replies["250 2.0.0"] == 400
