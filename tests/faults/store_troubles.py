"""What can be wrong with a store, each as a block in which it is, and a crowd that sends on.

The store is one real server; `proxy` stands between it and the relay, save for a cluster,
whose members tell their own addresses.
"""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Self

from tests.harness.fault_proxy import FaultProxy
from tests.harness.members import DURABLE, HOST, Member
from tests.harness.ports import free_port
from tests.harness.relay_config import DOMAIN
from tests.harness.store import valkey_binary
from tests.harness.waiting import until
from tests.harness.wire import Wire, mail

SENDER = f"news@{DOMAIN}"
RELAXED = ("--appendonly", "yes", "--appendfsync", "everysec", "--save", "")
LAST_SLOT = 16_383
BALLAST_KEYS = 10_000
LOAD_DELAY_US = 200


class Cramped(Member):
    """A server that lives on when a file may grow no more, as when a disk is full."""

    def __init__(self, *options: str) -> None:
        super().__init__(*options, binary="/bin/sh")

    def _head(self) -> list[str]:
        return ["-c", 'trap "" XFSZ; exec "$@"', "sh", valkey_binary()]

    def allow(self, more_bytes: int | None) -> None:
        """Its files may grow by so much; None is without an end."""
        largest = resource.RLIM_INFINITY
        if more_bytes is not None:
            sizes = [file.stat().st_size for file in self.directory.rglob("*.aof")]
            largest = max(sizes) + more_bytes
        assert self._child
        resource.prlimit(self._child.pid, resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))


@dataclass
class Rig:
    """A store in front of which a proxy stands."""

    member: Member
    proxy: FaultProxy

    @property
    def url(self) -> str:
        """For `store:` in relay.yaml."""
        return f"redis://{HOST}:{self.proxy.port}"

    def connections(self) -> int:
        """How many were ever made to the store: by the proxy, or as a cluster's member counts."""
        if isinstance(self.member, LoneCluster):
            return int(self.member.said("INFO", "stats")["total_connections_received"])
        return self.proxy.connections


Block = Callable[[Rig, float], AbstractContextManager[None]]
"""In trouble within the block; the number is how long that is meant to last, in seconds."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """`is_away`: the store answers nothing at all. `defers`: mail has to be deferred."""

    name: str
    block: Block
    is_away: bool = False
    defers: bool = True
    make: Callable[[], Member] = field(default=lambda: Member(*DURABLE))

    def __str__(self) -> str:
        return self.name


@contextmanager
def _killed(rig: Rig, _lasts_s: float) -> Iterator[None]:
    rig.member.kill()
    yield
    rig.member.start()


@contextmanager
def _restarted(rig: Rig, lasts_s: float) -> Iterator[None]:
    for _ in range(3):
        rig.member.kill()
        rig.member.start()
        time.sleep(lasts_s / 6)
    yield


@contextmanager
def _stalled(rig: Rig, _lasts_s: float) -> Iterator[None]:
    rig.member.freeze()
    yield
    rig.member.thaw()


@contextmanager
def _cut_off(rig: Rig, _lasts_s: float) -> Iterator[None]:
    rig.proxy.cut_network()
    yield
    rig.proxy.heal()


@contextmanager
def _out_of_memory(rig: Rig, _lasts_s: float) -> Iterator[None]:
    rig.member.said("CONFIG", "SET", "maxmemory", 1)
    yield
    rig.member.said("CONFIG", "SET", "maxmemory", 0)


@contextmanager
def _read_only(rig: Rig, _lasts_s: float) -> Iterator[None]:
    rig.member.said("REPLICAOF", HOST, 1)
    yield
    rig.member.said("REPLICAOF", "NO", "ONE")


@contextmanager
def _loading(rig: Rig, _lasts_s: float) -> Iterator[None]:
    with rig.member.client() as client, client.pipeline(transaction=False) as pipe:
        for number in range(BALLAST_KEYS):
            pipe.set(f"ballast:{number}", "x")
        pipe.execute()
    rig.member.kill()
    rig.member.start("--key-load-delay", str(LOAD_DELAY_US), wait=False)
    yield
    until(rig.member.answers, "the store to have loaded its file", timeout_s=30)


@contextmanager
def _forgetting(rig: Rig, lasts_s: float) -> Iterator[None]:
    for _ in range(int(lasts_s / 0.1)):
        rig.member.said("SCRIPT", "FLUSH")
        time.sleep(0.1)
    yield


@contextmanager
def _full_disk(rig: Rig, _lasts_s: float) -> Iterator[None]:
    assert isinstance(rig.member, Cramped)
    rig.member.allow(2_000)
    yield
    rig.member.allow(None)


@contextmanager
def _ended_by_full_disk(rig: Rig, _lasts_s: float) -> Iterator[None]:
    assert isinstance(rig.member, Cramped)
    rig.member.allow(2_000)
    yield
    assert not rig.member.is_running, "appendfsync always: rather no server than a lost write"
    rig.member.start()


@contextmanager
def _cluster_down(rig: Rig, _lasts_s: float) -> Iterator[None]:
    slot = (rig.member.said("CLUSTER", "KEYSLOT", f"{{{DOMAIN}}}") + 1) % (LAST_SLOT + 1)
    rig.member.said("CLUSTER", "DELSLOTS", slot)
    yield
    rig.member.said("CLUSTER", "ADDSLOTS", slot)


class LoneCluster(Member):
    """A cluster of one master that serves every slot."""

    def __init__(self) -> None:
        ports = ("--cluster-port", str(free_port()))
        super().__init__(*DURABLE, "--cluster-enabled", "yes", *ports)

    def start(self, *more: str, wait: bool = True) -> Member:
        super().start(*more, wait=wait)
        self.said("CLUSTER", "ADDSLOTSRANGE", 0, LAST_SLOT)
        until(lambda: self.said("CLUSTER INFO")["cluster_state"] == "ok", "the cluster")
        return self


STALLED = Trouble("stalled", _stalled, is_away=True)
NETWORK_CUT = Trouble("network cut", _cut_off, is_away=True)
TROUBLES = [
    Trouble("killed", _killed, is_away=True),
    Trouble("killed and started, three times", _restarted, defers=False),
    STALLED,
    NETWORK_CUT,
    Trouble("OOM", _out_of_memory),
    Trouble("READONLY", _read_only),
    Trouble("LOADING", _loading),
    Trouble("NOSCRIPT", _forgetting, defers=False),
    Trouble("CLUSTERDOWN", _cluster_down, make=LoneCluster),
    Trouble("disk full, everysec", _full_disk, make=lambda: Cramped(*RELAXED)),
    Trouble("disk full, always", _ended_by_full_disk, make=lambda: Cramped(*DURABLE)),
]


@dataclass(frozen=True, slots=True)
class Heard:
    """One message: when it was handed in, by the monotonic clock, how long that took, the reply."""

    at_s: float
    took_s: float
    reply: str


class Crowd:
    """Clients that send one message after the other for as long as the block lasts."""

    def __init__(self, port: int, clients: int = 6) -> None:
        self.heard: list[Heard] = []
        self.lost: list[str] = []
        self._port = port
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._client, args=(n,)) for n in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def after(self, at_s: float, code: str = "") -> list[Heard]:
        """What was handed in from then on and answered by `code`."""
        return [h for h in self.heard if h.at_s >= at_s and h.reply.startswith(code)]

    def _client(self, who: int) -> None:
        try:
            with Wire(self._port) as wire:
                for number in range(100_000):
                    if self._stop.wait(0.02):
                        return
                    self._send(wire, f"{who}.{number}")
        except (OSError, AssertionError) as error:
            self.lost.append(repr(error))

    def _send(self, wire: Wire, name: str) -> None:
        began = time.monotonic()
        content = mail(SENDER, message_id=f"{name}@{DOMAIN}")
        reply = wire.send(SENDER, f"r{name}@example.org", content)
        took_s = time.monotonic() - began
        self.heard.append(Heard(began, took_s, f"{reply.code} {reply.enhanced}"))
