"""One relay alone, on free ports: what `memory`, `store` and `workers` have in common."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from bench.peers.system import DOMAIN, ROOT
from bench.wire import program
from tests.harness.ports import free_port

__all__ = ["CONFIG", "DOMAIN", "POLICY", "RELAY", "ROOT", "SINK", "WEB", "cpu_s", "source"]

SIZE_BYTES = 10_240
SINK, RELAY, WEB = free_port(), free_port(), free_port()

CONFIG = f"""
hostname: relay.example.net
data_dir: var
listeners: [{{address: "127.0.0.1:{RELAY}", tls: none, auth: none}}]
web: {{address: "127.0.0.1:{WEB}"}}
upstreams: {{outbound: {{url: "smtp://127.0.0.1:{SINK}", pool: {{connections: 20}}}}}}
limits: {{connections_per_address: 1000}}
log: {{level: warning}}
tenants:
  acme:
    networks: ["127.0.0.0/8"]
    domains:
      {DOMAIN}:
        dkim: [{{selector: s1, key: "var/dkim/key.pem"}}]
        routes: [{{upstream: outbound, policy: huge}}]
policies: [policies]
"""
POLICY = """
description: A cap that is never reached, so that only the work is measured
ramp: {advance: calendar-days, tiers: [{from: 0, cap: 100000000}]}
"""


def source(port: int, sessions: int, count: int) -> float:
    """Messages a second that `smtp-source` gets through to `port`."""
    began = time.perf_counter()
    subprocess.run(
        [program("smtp-source"), "-s", str(sessions), "-m", str(count), "-l", str(SIZE_BYTES),
         "-d", "-f", f"a@{DOMAIN}", "-t", "b@there.example", f"127.0.0.1:{port}"],
        check=True, timeout=100, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return count / (time.perf_counter() - began)


def cpu_s(pid: int) -> float:
    """CPU seconds of one process so far, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
