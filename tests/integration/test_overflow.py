"""`excess: overflow` with the real command: what went over which upstream, both ends counted.

A new route and a warm one behind it; what each upstream took is compared with what `status` and
the metrics say of its route.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeRelay, MakeStore
from tests.harness.clock import MovableClock
from tests.harness.load import storm
from tests.harness.relay_config import DOMAIN, calendar
from tests.harness.relay_process import RelayProcess
from tests.harness.smtp_script import late
from tests.harness.upstream import SinkProcess, SinkThread
from tests.harness.waiting import until
from tests.harness.wire import Wire, mail

SENDER = f"news@{DOMAIN}"
READER = "reader@example.org"
WARM = f"{DOMAIN}@warm"


def overflowing(*caps: int, **more: Any) -> dict[str, Any]:
    return calendar(*caps, excess="overflow", **more)


def routes(second: str = "exempt") -> dict[str, Any]:
    """The domain of the tests: the route `new`, then `warm`."""
    named = [{"upstream": "new", "policy": "new"}, {"upstream": "warm", "policy": second}]
    return {DOMAIN: {"routes": named}}


@dataclass
class House:
    """A relay with its two upstreams."""

    relay: RelayProcess
    new: Any
    warm: Any

    def send(self, *recipients: str, name: str | None = None, head: bytes = b"") -> str:
        """The last reply to one message, code and text."""
        with Wire(self.relay.port) as wire:
            reply = wire.envelope(SENDER, *(recipients or (READER,)))
            if reply.code == 250:
                message_id = f"{name}@{DOMAIN}" if name else None
                wire.hand_in(head + mail(SENDER, message_id=message_id))
                reply = wire.read()
            wire.quit()
        return str(reply)

    def quota(self, name: str, upstream: str) -> float:
        """`relay_quota_NAME` of one route."""
        labels = {"domain": DOMAIN, "upstream": upstream, "provider": "all"}
        return self.relay.metric(f"relay_quota_{name}", **labels)

    def counts(self) -> tuple[int, int]:
        """What the upstreams took; the store must say the same."""
        taken = (len(self.new.message_ids()), len(self.warm.message_ids()))
        assert (self.quota("sent", "new"), self.quota("sent", "warm")) == taken
        return taken


@pytest.fixture
def warm() -> Iterator[SinkThread]:
    made = SinkThread()
    yield made
    made.end()


def config(new: Any, warm: Any, policy: dict[str, Any], **more: Any) -> dict[str, Any]:
    upstreams = {"new": {"url": new.url}, "warm": {"url": warm.url}}
    policies = {"new": policy, **more.pop("policies", {})}
    return {"domains": routes(), "policies": policies, "more": {"upstreams": upstreams}, **more}


@pytest.fixture
def house(make_relay: MakeRelay, sink: SinkThread, warm: SinkThread) -> Any:
    """`house(policy, …)`: a relay that serves."""

    def made(policy: dict[str, Any], **more: Any) -> House:
        return House(make_relay(**config(sink, warm, policy, **more)).start(), sink, warm)

    return made


def test_sixty_messages_are_fifty_over_the_new_route_and_ten_over_the_warm_one(house: Any) -> None:
    it = house(overflowing(50, 100))
    with Wire(it.relay.port) as wire:
        codes = [wire.send(SENDER, READER, mail(SENDER)).code for _ in range(60)]
    assert codes == [250] * 60
    assert it.counts() == (50, 10)
    relay = it.relay
    for upstream, sent in (("new", 50), ("warm", 10)):
        assert relay.metric("relay_lifetime_sends", domain=DOMAIN, upstream=upstream) == sent
    assert relay.metric("relay_deferrals_total", domain=DOMAIN) == 0
    assert relay.metric("relay_messages_total", outcome="forwarded") == 60

    relay.clock.move(days=1)
    assert it.send().startswith("250")
    assert relay.status()["emails_sent_today"] == 1
    warm = relay.status(WARM)
    assert (warm["emails_sent_today"], warm["lifetime_sends"], warm["state"]) == (0, 10, "exempt")


def test_both_full_is_one_deferral_that_names_the_wall_that_opens_first(house: Any) -> None:
    hourly = calendar(100, smoothing={"hourly_share": "2%"})
    it = house(overflowing(2), policies={"hourly": hourly}, domains=routes("hourly"))
    assert [it.send()[:3] for _ in range(4)] == ["250"] * 4
    told = it.send()
    assert told.startswith("451 4.7.1")
    assert "2 of 2 sent this hour (day 0, hourly)" in told
    assert it.relay.metric("relay_deferrals_total", domain=DOMAIN, wall="hour") == 1
    assert it.relay.metric("relay_deferrals_total", domain=DOMAIN) == 1
    assert it.counts() == (2, 2)
    it.relay.clock.move(hours=1)
    assert it.send().startswith("250")
    assert len(it.warm.message_ids()) == 3


def test_what_no_route_will_ever_take_is_refused_and_what_one_will_is_not(house: Any) -> None:
    it = house(overflowing(2), policies={"wide": calendar(3, 4)}, domains=routes("wide"))
    recipients = [f"r{n}@example.org" for n in range(5)]
    assert it.send(*recipients[:3]).startswith("250")
    told = it.send(*recipients[:4])
    assert told.startswith("451 4.7.1")
    assert "4 recipients exceed today's cap of 3 (day 0, wide); fits on" in told
    assert it.send(*recipients).startswith("550 5.5.3 5 recipients in one message; wide never")


def test_a_paused_route_is_passed_by(house: Any) -> None:
    it = house(overflowing(50))
    assert it.relay.cli("pause", DOMAIN, "--reason", "look").out == f"{DOMAIN} paused\n"
    assert it.send().startswith("250")
    assert it.counts() == (0, 1)
    assert it.relay.cli("pause", WARM).out == f"{WARM} paused\n"
    told = it.send()
    assert told.startswith("451 4.7.1")
    assert "paused: look" in told
    it.relay.cli("resume", DOMAIN)
    assert it.send().startswith("250")
    assert it.counts() == (1, 1)


def test_a_full_provider_overflows_for_that_provider_only(house: Any) -> None:
    it = house(overflowing(50, providers={"google": {"cap": 2}}))
    sent = [it.send(to) for to in ["a@gmail.com"] * 3 + ["b@web.de"]]
    assert all(reply.startswith("250") for reply in sent)
    assert it.counts() == (3, 1)
    assert it.warm.sink.messages[0].rcpts == ["a@gmail.com"]


def test_trouble_of_the_new_routes_upstream_does_not_overflow(house: Any) -> None:
    it = house(overflowing(50))
    it.new.end()
    assert it.send().startswith("451 4.4.1")
    assert it.warm.message_ids() == []
    assert it.quota("reserved", "new") == it.quota("sent", "new") == 0


def test_counts_outlive_the_relay_and_a_removed_route_keeps_its_own(house: Any) -> None:
    it = house(overflowing(2))
    assert [it.send()[:3] for _ in range(3)] == ["250"] * 3
    it.relay.sigterm()
    it.relay.restart()
    assert it.send().startswith("250")
    assert it.counts() == (2, 2)
    path = it.relay.config_path
    whole = path.read_text()
    path.write_text(whole.replace("        - upstream: warm\n          policy: exempt\n", ""))
    assert path.read_text() != whole
    until(lambda: it.send().startswith("451"), "the route to be gone", timeout_s=15, every_s=0.3)
    assert f'did you mean "{DOMAIN}"' in _joined(it.relay.cli("status", WARM).err)
    before = len(it.warm.message_ids())
    path.write_text(whole)
    until(lambda: it.send().startswith("250"), "the route to be back", timeout_s=15, every_s=0.3)
    assert it.counts() == (2, before + 1)


def test_a_bad_edit_of_the_new_routes_policy_is_refused_whole(house: Any) -> None:
    it = house(overflowing(1))
    it.relay.config.write_policy(it.relay.home, "new", calendar(5))
    failed = "relay_policy_reload_failed"
    until(lambda: it.relay.metric(failed) == 1, "the edit to be refused", timeout_s=15)
    assert [it.send()[:3] for _ in range(2)] == ["250"] * 2
    assert [len(upstream.message_ids()) for upstream in (it.new, it.warm)] == [1, 1]
    told = it.relay.cli("check", "--offline")
    assert told.exit == 1
    assert 'no mail ever comes to this route: "new" before it does not overflow' in told.out


# Rule 3.


def cut_off(it: House, upstream: SinkThread, answers_after_s: float) -> None:
    """The upstream takes `cut`, and the client is gone before it hears of it."""
    upstream.once("DOT", late(answers_after_s))
    wire = Wire(it.relay.port)
    wire.envelope(SENDER, READER)
    wire.hand_in(mail(SENDER, message_id=f"cut@{DOMAIN}"))
    until(lambda: f"cut@{DOMAIN}" in upstream.message_ids(), "the upstream to have it")
    wire.reset()


def copies(it: House) -> int:
    return [*it.new.message_ids(), *it.warm.message_ids()].count(f"cut@{DOMAIN}")


def test_a_retry_of_what_went_over_the_warm_route_is_known_after_midnight(house: Any) -> None:
    it = house(overflowing(1))
    assert it.send(name="first").startswith("250")
    cut_off(it, it.warm, 1.0)
    until(lambda: it.quota("sent", "warm") == 1, "the acceptance to be noted", timeout_s=15)
    it.relay.clock.move(days=1)
    until(lambda: it.quota("remaining", "new") == 1, "the new day")
    told = it.send(name="cut")
    assert told.startswith("250 2.0.0 Ok: taken at an earlier attempt, not sent again")
    assert copies(it) == 1
    assert (it.quota("sent", "new"), it.quota("sent", "warm")) == (0, 0)


def test_a_retry_of_what_went_over_the_new_route_is_known_when_that_is_full(house: Any) -> None:
    it = house(overflowing(1))
    cut_off(it, it.new, 1.0)
    until(lambda: it.send(name="cut").startswith("250"), "the retry", timeout_s=15, every_s=0.2)
    assert copies(it) == 1
    assert it.counts() == (1, 0)


def test_a_retry_over_one_route_waits_for_the_attempt_over_the_other(house: Any) -> None:
    it = house(overflowing(1))
    midnight = (it.relay.clock.now() + timedelta(days=1)).replace(hour=0, minute=0, second=0)
    it.relay.clock.move(seconds=(midnight - it.relay.clock.now()).total_seconds() - 300)
    assert it.send(name="first").startswith("250")
    cut_off(it, it.warm, 6.0)
    it.relay.clock.move(seconds=600)
    until(lambda: it.quota("remaining", "new") == 1, "the new day")
    told = it.send(name="cut")
    assert told.startswith("451 4.3.0 an earlier attempt at this message is still under way")
    until(lambda: it.send(name="cut").startswith("250"), "the retry", timeout_s=20, every_s=0.5)
    assert copies(it) == 1


# Split recipients.


def test_of_split_recipients_the_next_transaction_takes_the_next_route(house: Any) -> None:
    it = house(overflowing(2, recipients="split"))
    with Wire(it.relay.port) as wire:
        for expected in ([250, 250, 451], [250]):
            assert wire.do(f"MAIL FROM:<{SENDER}>").code == 250
            left = "abc"[-len(expected) :]
            replies = [wire.do(f"RCPT TO:<{name}@example.org>").code for name in left]
            assert replies == expected
            wire.hand_in(mail(SENDER))
            assert wire.read().code == 250
    assert [message.rcpts for message in it.new.sink.messages] == [
        ["a@example.org", "b@example.org"]
    ]
    assert [message.rcpts for message in it.warm.sink.messages] == [["c@example.org"]]


# Campaigns.


def test_a_campaign_is_not_split_over_routes(house: Any) -> None:
    sticky = {"header": "X-Listmonk-Campaign", "keep": "7 days"}
    it = house(overflowing(2, sticky=sticky))
    spring, summer = b"X-Listmonk-Campaign: spring\r\n", b"X-Listmonk-Campaign: summer\r\n"
    assert [it.send(head=spring)[:3] for _ in range(3)] == ["250", "250", "451"]
    assert it.send(head=summer).startswith("250")
    assert it.send().startswith("250")
    assert it.counts() == (2, 2)
    explained = it.relay.cli("explain", DOMAIN).out
    assert "a campaign (x-listmonk-campaign) keeps its route until 168h after" in explained
    it.relay.clock.move(days=1)
    assert [it.send(head=head)[:3] for head in (spring, summer, summer)] == ["250"] * 3
    assert (len(it.new.message_ids()), len(it.warm.message_ids())) == (3, 4)
    it.relay.clock.move(days=8)
    assert it.send(head=summer).startswith("250")
    assert len(it.new.message_ids()) == 4
    exported = it.relay.cli("export").out
    assert f"{{{DOMAIN}}}:campaign:" in exported
    assert "summer" not in exported


# What people are told.


def test_explain_status_and_errors_name_the_routes(house: Any) -> None:
    it = house(overflowing(1))
    assert f"one more send is accepted over {DOMAIN}\n" in it.relay.cli("explain", DOMAIN).out
    assert it.send().startswith("250")
    explained = it.relay.cli("explain", DOMAIN, "a@gmail.com").out
    assert f"1. {DOMAIN} over new: 1 of 1 sent today (day 0, new); next sends" in explained
    assert f"2. {WARM} over warm: has room" in explained
    assert f"one more send is accepted over {WARM}\n" in explained
    told = it.relay.cli("explain", WARM, "--json").json
    assert (told["id"], told["next_message"], told["next_route"]) == (WARM, "accepted", WARM)
    assert [each["route"] for each in told["routes"]] == [WARM]
    assert [row["id"] for row in it.relay.cli("status", "--json").json] == [DOMAIN, WARM]
    assert it.relay.status(f"{DOMAIN}@new")["id"] == DOMAIN
    ran = it.relay.cli("status", f"{DOMAIN}@wram")
    assert (ran.exit, f'did you mean "{WARM}"?' in _joined(ran.err)) == (2, True)


def _joined(boxed: str) -> str:
    """An error message without the box that it is drawn in."""
    return " ".join(boxed.replace("│", " ").split())


# Many at once.


def test_32_clients_on_two_relays_fill_the_new_route_exactly_and_the_warm_one_takes_the_rest(
    make_relay: MakeRelay, make_store: MakeStore, tmp_path: Path, endings: ExitStack
) -> None:
    new, warm = SinkProcess(tmp_path / "new"), SinkProcess(tmp_path / "warm")
    endings.callback(new.end)
    endings.callback(warm.end)
    store = make_store()
    clock = MovableClock(tmp_path / "clock")
    settings = config(new, warm, overflowing(200), store=store.url)
    relays = [make_relay(name=name, clock=clock, **settings).start() for name in ("one", "two")]
    ports = [relay.port for relay in relays]
    for number in (1, 2):
        told = storm(ports, SENDER, clients=32, each=10)
        assert told.replies == {"250 2.0.0": 320}
        ids = (new.message_ids(), warm.message_ids())
        assert [len(each) for each in ids] == [200 * number, 120 * number]
        assert len({*ids[0], *ids[1]}) == 320 * number
        for relay in relays:
            it = House(relay, new, warm)
            assert (it.quota("sent", "new"), it.quota("sent", "warm")) == (200, 120)
            assert it.quota("reserved", "new") == it.quota("reserved", "warm") == 0
        clock.move(days=1)
