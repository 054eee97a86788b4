"""Three nodes on one store behind a real HAProxy: one is killed in mid-load."""

from __future__ import annotations

import subprocess
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.harness.arrived import arrived
from tests.harness.balanced import (
    CONFIG,
    CUSTOMER,
    FRONT,
    NEIGHBOUR,
    NODES,
    SMTP,
    STRANGER,
    Fleet,
    haproxy,
)
from tests.harness.relay_config import DOMAIN, calendar
from tests.harness.waiting import until
from tests.harness.wire import Wire, WireReply, mail

SENDER = f"news@{DOMAIN}"
CAP = 400
CLIENTS = 12
EACH = 40
TRIES = 100


class Client:
    """As an application with a queue: a message is tried until it is taken or deferred."""

    def __init__(self, fleet: Fleet, source: str) -> None:
        self._fleet = fleet
        self._source = source
        self._wire: Wire | None = None
        self.outcomes: dict[str, int] = {}
        self.broken = 0

    def work(self) -> None:
        for _ in range(EACH):
            name = f"{uuid.uuid4().hex}@{DOMAIN}"
            self.outcomes[name] = self._until_answered(name)
        if self._wire:
            self._wire.quit()

    def _until_answered(self, name: str) -> int:
        for _ in range(TRIES):
            try:
                reply = self._offered(name)
            except (OSError, AssertionError):
                self.broken += 1
                self._wire = None
                continue
            if reply.code == 250 or reply.enhanced == "4.7.1":
                return reply.code
        return 0

    def _offered(self, name: str) -> WireReply:
        self._wire = self._wire or self._fleet.dial(self._source)
        return self._wire.send(SENDER, "reader@example.org", mail(SENDER, message_id=name))


def test_a_node_killed_in_mid_load_loses_no_mail_and_nothing_is_over_the_cap(
    tmp_path: Path, endings: ExitStack
) -> None:
    fleet = Fleet(tmp_path, endings, policies={"ramp": calendar(CAP)})
    clients = [Client(fleet, CUSTOMER if n % 2 else NEIGHBOUR) for n in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        jobs = [pool.submit(client.work) for client in clients]
        until(lambda: len(fleet.sink.message_ids()) >= CAP // 3, "load", every_s=0.005)
        fleet.nodes["node2"].kill9()
        for job in jobs:
            job.result(timeout=90)

    outcomes = {name: code for client in clients for name, code in client.outcomes.items()}
    taken = {name for name, code in outcomes.items() if code == 250}
    ids = fleet.sink.message_ids()
    broken = sum(client.broken for client in clients)
    assert Counter(outcomes.values()).keys() == {250, 451}, "a message was given up"
    assert len(outcomes) == CLIENTS * EACH
    assert broken, "the kill met no load"
    assert taken <= set(ids), "a 250 without a message at the upstream: mail is lost"
    assert CAP - CLIENTS <= len(ids) <= CAP
    assert len(ids) - len(set(ids)) <= CLIENTS, "more than what was in flight was sent again"
    with fleet.network.inside("node1"):
        status = fleet.nodes["node1"].status()
    assert status["emails_sent_today"] + status["reserved_now"] == CAP

    with fleet.network.inside("node2"):
        fleet.nodes["node2"].restart()
        until(lambda: serves(fleet, "node2"), "the node to be used again", timeout_s=30)


def serves(fleet: Fleet, name: str) -> bool:
    """Whether connections through the balancer come to the node `name`."""
    wires = [fleet.dial() for _ in range(2 * len(NODES))]
    found = fleet.nodes[name].metric("relay_connections")
    for wire in wires:
        wire.quit()
    return found > 0


def test_nodes_see_the_clients_addresses_not_the_balancers(
    tmp_path: Path, endings: ExitStack
) -> None:
    limits = {"limits": {"connections_per_address": 4}}
    fleet = Fleet(tmp_path, endings, upstream="maildir:outbound", more=limits)

    stranger = fleet.dial(STRANGER)
    assert stranger.do(f"MAIL FROM:<{SENDER}>").code == 550, "not in the tenant's network"
    with fleet.dial(CUSTOMER) as customer:
        assert customer.send(SENDER, "reader@example.org", mail(SENDER)).code == 250
        customer.quit()
    [message] = [found for name in NODES for found in arrived(tmp_path / name / "outbound")]
    assert f"[{CUSTOMER}]".encode() in message.split(b"From:")[0], message

    codes = [greeting(fleet, CUSTOMER, endings) for _ in range(4 * len(NODES) + 1)]
    assert codes == [220] * 4 * len(NODES) + [421], "the limit of each node, and no more"
    assert greeting(fleet, NEIGHBOUR, endings) == 220, "another client is another address"


def greeting(fleet: Fleet, source: str, endings: ExitStack) -> int:
    with fleet.network.inside("clients"):
        wire = Wire(SMTP, host=FRONT, source=source, greet=False)
    endings.callback(wire.close)
    return wire.read().code


def test_the_shipped_config_is_one_that_haproxy_takes_without_a_warning() -> None:
    done = subprocess.run(
        [haproxy(), "-c", "-f", str(CONFIG)],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
