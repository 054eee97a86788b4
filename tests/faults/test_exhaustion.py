"""The relay runs out of something: descriptors, accepted connections, disk, DNS.

It degrades with 4xx, goes on by itself once there is some again, and keeps nothing.
"""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import sys
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.conftest import MakeRelay
from tests.faults.store_troubles import SENDER, Crowd
from tests.harness import relay_process
from tests.harness.relay_config import DOMAIN, UNLIMITED, calendar
from tests.harness.relay_process import RelayProcess
from tests.harness.upstream import SinkThread
from tests.harness.waiting import until
from tests.harness.wire import Wire, WireReply, mail

POLICIES = {"ramp": calendar(UNLIMITED)}
FREE_DESCRIPTORS = 12
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def send(relay: RelayProcess, content: bytes | None = None, to: str = "r@example.org") -> WireReply:
    with Wire(relay.port) as wire:
        return wire.send(SENDER, to, content or mail(SENDER))


def allow(relay: RelayProcess, kind: int, most: int) -> None:
    """Move a soft limit of the running relay."""
    _, hard = resource.prlimit(relay.child.pid, kind)
    resource.prlimit(relay.child.pid, kind, (most, hard))


def cpu_s(relay: RelayProcess) -> float:
    words = Path(f"/proc/{relay.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / TICKS_A_SECOND


def settled(relay: RelayProcess, descriptors: int) -> None:
    """Wait until it has no more open than that, and a few for upstream, store and this look."""
    until(
        lambda: relay.child.descriptors() <= descriptors + 6,
        f"no more than {descriptors} descriptors",
        timeout_s=20,
        detail=relay.log_tail,
    )


def test_without_descriptors_it_neither_spins_nor_floods_the_log_and_comes_back(
    make_relay: MakeRelay, sink: SinkThread, endings: ExitStack
) -> None:
    relay = make_relay(upstream=sink.url, policies=POLICIES).start()
    assert send(relay).code == 250
    sink.drop()
    before = relay.child.descriptors()
    earlier = endings.enter_context(Wire(relay.port))

    _, hard = resource.prlimit(relay.child.pid, resource.RLIMIT_NOFILE)
    most = relay.child.descriptors() + FREE_DESCRIPTORS
    allow(relay, resource.RLIMIT_NOFILE, most)
    crowd = crowded(relay.port, endings)
    assert len(crowd) >= FREE_DESCRIPTORS / 2
    for _ in range(3):  # one to the upstream may or may not be left, when the relay looks
        reply = earlier.send(SENDER, "r@example.org", mail(SENDER))
        assert str(reply).startswith(("250 2.0.0", "451 4.4.1", "451 4.3.0")), reply
    used_s, logged = cpu_s(relay), relay.child.log.stat().st_size
    time.sleep(2)
    assert cpu_s(relay) - used_s < 1.0, "it spins"
    assert relay.child.log.stat().st_size - logged < 50_000, relay.log_tail()

    for each in crowd:
        each.close()
    until(lambda: went_through(relay), "mail to go again", timeout_s=10, detail=relay.log_tail)
    assert earlier.send(SENDER, "r@example.org", mail(SENDER)).code == 250
    earlier.close()
    allow(relay, resource.RLIMIT_NOFILE, hard)
    settled(relay, before)
    status = relay.status()
    assert status["emails_sent_today"] == len(sink.contents()), "what was deferred was refunded"
    until(lambda: not relay.metric("relay_policy_reload_failed"), "its files to be read again")


def crowded(port: int, endings: ExitStack) -> list[socket.socket]:
    """Connections made until twenty in a row were closed at once; those that were not."""
    kept: list[socket.socket] = []
    refused = 0
    for _ in range(200):
        each = socket.create_connection(("127.0.0.1", port), 5)
        endings.callback(each.close)
        is_greeted = False
        with suppress(ConnectionError):
            is_greeted = each.recv(3) == b"220"
        kept += [each] if is_greeted else []
        refused = 0 if is_greeted else refused + 1
        if refused == 20:
            return kept
    raise AssertionError("there was no end of descriptors")


def went_through(relay: RelayProcess) -> bool:
    with suppress(OSError, AssertionError):
        return send(relay).code == 250
    return False


async def greeting(port: int, turns: asyncio.Semaphore) -> str:
    """Connect, hear three digits, stay for a moment, leave."""
    async with turns, asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            heard = (await reader.readline()).decode()[:3]
            await asyncio.sleep(0.2)
            return heard
        finally:
            writer.close()


async def greetings(port: int, count: int) -> Counter[str]:
    turns = asyncio.Semaphore(400)
    return Counter(await asyncio.gather(*(greeting(port, turns) for _ in range(count))))


def test_thousands_of_connections_at_once_hear_220_or_421_and_leave_nothing(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    limits = {"limits": {"connections": 100}}
    relay = make_relay(upstream=sink.url, policies=POLICIES, more=limits).start()
    assert send(relay).code == 250
    asyncio.run(greetings(relay.port, 500))
    settled(relay, descriptors := relay.child.descriptors())
    grown_bytes = -relay.child.rss_bytes()

    with Crowd(relay.port, clients=2) as crowd:
        until(lambda: len(crowd.heard) > 4, "mail to go")
        began, used_s = time.monotonic(), cpu_s(relay)
        heard = asyncio.run(greetings(relay.port, 3000))
        took_s, used_s = time.monotonic() - began, cpu_s(relay) - used_s
    grown_bytes += relay.child.rss_bytes()
    print(
        f"3000 connections in {took_s:.1f} s, {used_s:.1f} s of CPU: {heard}, +{grown_bytes} bytes"
    )
    assert heard.keys() == {"220", "421"}, heard
    assert crowd.lost == []
    assert {h.reply for h in crowd.heard} == {"250 2.0.0"}, "who is in is served"
    until(lambda: relay.metric("relay_connections") == 0, "all to be gone", timeout_s=15)
    settled(relay, descriptors)
    assert grown_bytes < 20_000_000


@pytest.mark.parametrize("free_bytes", [0, 60_000])
def test_a_full_disk_defers_refunds_and_leaves_no_half_message(
    make_relay: MakeRelay, free_bytes: int
) -> None:
    """With nothing free, neither can the log be written."""
    relay = make_relay(policies=POLICIES).start()
    assert send(relay).code == 250
    allow(relay, resource.RLIMIT_FSIZE, free_bytes)
    big = mail(SENDER) + b"a line of text\r\n" * 10_000
    replies = [send(relay, big) for _ in range(5)]
    assert {(r.code, r.enhanced) for r in replies} == {(451, "4.4.1")}, replies
    assert relay.http("/healthz").status == 200
    if free_bytes:
        assert send(relay).code == 250, "what fits still goes"

    allow(relay, resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)
    assert send(relay, big).code == 250
    maildir = relay.home / "outbound"
    assert list((maildir / "tmp").iterdir()) == []
    status = relay.status()
    stored = len(list((maildir / "new").iterdir()))
    assert (status["emails_sent_today"], status["reserved_now"]) == (stored, 0)
    assert stored == (3 if free_bytes else 2)


DEAF_DNS = """
import runpy, sys
from dns.resolver import Resolver
read = Resolver.read_resolv_conf
Resolver.read_resolv_conf = lambda self, _: read(self, "resolv.conf")
runpy.run_module("relay", run_name="__main__", alter_sys=True)
"""


def test_without_a_dns_mail_goes_on_and_is_counted_as_to_other_providers(
    make_relay: MakeRelay, sink: SinkThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_process, "COMMAND", (sys.executable, "-c", DEAF_DNS))
    policy = calendar(UNLIMITED, providers={"google": {"cap": 50}, "default": {"cap": 500}})
    relay = make_relay(upstream=sink.url, policies={"ramp": policy})
    # An address of no network, and a port where nobody listens.
    (relay.home / "resolv.conf").write_text("nameserver 192.0.2.1\nnameserver 127.0.0.1\n")
    relay.start()
    assert send(relay).code == 250
    before, took_s = relay.child.descriptors(), []
    for number in range(100):
        began = time.monotonic()
        assert send(relay, to=f"r@nobody{number}.example").code == 250
        took_s.append(time.monotonic() - began)
    assert send(relay, to="r@gmail.com").code == 250
    assert sorted(took_s)[50] < 0.5, took_s
    assert max(took_s) < 3.0, took_s
    assert relay.child.descriptors() <= before + 40, "questions are bounded in number"
    providers = relay.status(DOMAIN)["providers"]
    sent = {name: provider["sent"] for name, provider in providers.items()}
    assert sent == {"google": 1, "other": 101}
