"""Messages a second through one relay: smtp-source → relay → smtp-sink, against no relay.

Needs Debian's postfix package for the two programs. The figures of one run belong together;
between machines only the ratio says anything. Bounded: at most two minutes in all.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOMAIN = "news.acme.example"
SIZE_BYTES = 10_240
ROUNDS = 3
SHAPES = (("1 session", 1, 300), ("20 sessions", 20, 2000), ("100 sessions", 100, 2000))
SINK, RELAY, WEB = 12_625, 12_525, 12_025

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


def program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    return found or sys.exit(f"{name} is missing: apt-get install postfix")


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
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def wait_for_relay() -> None:
    for _ in range(100):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{WEB}/readyz", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    sys.exit("the relay did not become ready")


def measure(relay_pid: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for name, sessions, count in SHAPES:
        direct, relayed = [], []
        before, sent = cpu_s(relay_pid), 0
        for _ in range(ROUNDS):  # interleaved, for the machine drifts
            direct.append(source(SINK, sessions, count))
            relayed.append(source(RELAY, sessions, count))
            sent += count
        cpu = (cpu_s(relay_pid) - before) / sent * 1000
        rows.append({
            "shape": name, "direct": statistics.median(direct),
            "relay": statistics.median(relayed), "cpu_s_per_1000": cpu,
            "rss_mb": memory_mb(relay_pid),
        })  # fmt: skip
    return rows


def main() -> None:
    home = Path(tempfile.mkdtemp(prefix="relay-bench-"))
    (home / "policies").mkdir()
    (home / "policies" / "huge.yaml").write_text(POLICY)
    (home / "relay.yaml").write_text(CONFIG)
    sink = subprocess.Popen(
        [program("smtp-sink"), "-u", "nobody", f"127.0.0.1:{SINK}", "1000"]
        if os.getuid() == 0
        else [program("smtp-sink"), f"127.0.0.1:{SINK}", "1000"]
    )
    relay = subprocess.Popen(
        [sys.executable, "-m", "relay", "serve", "--config", str(home / "relay.yaml")], cwd=ROOT
    )
    try:
        wait_for_relay()
        source(RELAY, 10, 200)
        rows = measure(relay.pid)
    finally:
        for process in (relay, sink):
            process.terminate()
            process.wait(timeout=60)
        shutil.rmtree(home, ignore_errors=True)
    print(f"{SIZE_BYTES} bytes, RSA-2048, one relay process; messages/s, median of {ROUNDS}")
    print(f"{'':<14}{'direct':>10}{'relay':>10}{'CPU s/1000':>12}{'RSS MB':>9}")
    for row in rows:
        print(f"{row['shape']:<14}{row['direct']:>10.0f}{row['relay']:>10.0f}"
              f"{row['cpu_s_per_1000']:>12.2f}{row['rss_mb']:>9.0f}")  # fmt: skip
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
