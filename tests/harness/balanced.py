"""Three relay nodes without state behind a real HAProxy, on machines of their own.

The addresses are those of config/haproxy/haproxy.cfg, which is used as it is shipped.
"""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.harness.clock import MovableClock
from tests.harness.network import Network
from tests.harness.processes import Child
from tests.harness.relay_config import RelayConfig
from tests.harness.relay_process import ROOT, RelayProcess
from tests.harness.store import StoreServer
from tests.harness.upstream import SinkProcess
from tests.harness.waiting import until
from tests.harness.wire import Wire

CONFIG = ROOT / "config" / "haproxy" / "haproxy.cfg"
BALANCER, STORE = "10.25.0.10", "10.25.0.20"
NODES = {"node1": "10.25.0.11", "node2": "10.25.0.12", "node3": "10.25.0.13"}
FRONT = "198.51.100.1"
CUSTOMER, NEIGHBOUR, STRANGER = "198.51.100.11", "198.51.100.12", "198.51.100.200"
CUSTOMERS = "198.51.100.0/25"
SMTP, WEB = 2525, 8025


def haproxy() -> str:
    """The program. A missing one is a failure, not a skip."""
    found = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    assert found, "haproxy is not installed; see the list of packages in scripts/setup"
    return found


class Fleet:
    """Everything runs once it is made; `stack` ends it."""

    def __init__(self, home: Path, stack: ExitStack, **config: Any) -> None:
        self._home = home
        self._stack = stack
        self.network = Network()
        stack.callback(self.network.close)
        self._lay_wires()
        with self.network.inside("back"):
            self.sink = SinkProcess(home / "sink", "DOT=delay:0.02", host=STORE)
            stack.callback(self.sink.end)
            store = StoreServer(host=STORE)
            stack.callback(store.close)
            store.start()
        self._clock = MovableClock(home / "clock")
        self.nodes = {name: self._node(name, store.url, config) for name in NODES}
        self._start_balancer()

    def _lay_wires(self) -> None:
        for machine in ("lb", "back", "clients", *NODES):
            self.network.machine(machine)
        self.network.bridge("lb", "inner", f"{BALANCER}/24")
        self.network.bridge("lb", "outer", f"{FRONT}/24")
        self.network.plug("back", "lb", "inner", f"{STORE}/24")
        for name, address in NODES.items():
            self.network.plug(name, "lb", "inner", f"{address}/24")
        addresses = [f"{address}/24" for address in (CUSTOMER, NEIGHBOUR, STRANGER)]
        self.network.plug("clients", "lb", "outer", *addresses)

    def _node(self, name: str, store: str, config: dict[str, Any]) -> RelayProcess:
        listener = {"address": f"0.0.0.0:{SMTP}", "tls": "none", "auth": "none"}
        settings = RelayConfig(
            **{"upstream": self.sink.url} | config,
            store=store,
            tenant={"networks": [CUSTOMERS]},
            smtp_ports=[SMTP],
            web_port=WEB,
        )
        settings.more |= {
            "listeners": [listener | {"proxy_from": [f"{BALANCER}/32"]}],
            "web": {"address": f"0.0.0.0:{WEB}"},
        }
        relay = RelayProcess(self._home / name, settings, self._clock)
        self._stack.callback(relay.end)
        with self.network.inside(name):
            return relay.start()

    def _start_balancer(self) -> None:
        with self.network.inside("lb"):
            self.balancer = Child([haproxy(), "-f", CONFIG], self._home / "haproxy.log")
        self._stack.callback(self.balancer.end)
        until(self._lets_in, "the balancer", timeout_s=20, detail=self.balancer.tail)

    def _lets_in(self) -> bool:
        try:
            self.dial().quit()
        except (OSError, AssertionError):
            return False
        return True

    def dial(self, source: str = CUSTOMER) -> Wire:
        """A client's connection to the balancer."""
        with self.network.inside("clients"):
            return Wire(SMTP, host=FRONT, source=source)
