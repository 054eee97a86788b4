"""The relay itself, everything on: AUTH, provider walls, duplicate guard, metrics, logs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from dataclasses import replace
from pathlib import Path

from bench.peers.system import ROOT, About, System, Wanted
from tests.harness.ports import free_port
from tests.harness.waiting import until

USER = "bench"


class Ours(System):
    """`warmup-relay serve` with its embedded store, and as many workers as Haraka has."""

    about = About(
        "ours",
        "warmup-relay",
        "policy with a cap for each calendar day; quota charged in one step before forwarding",
        "keeping mail: it has no queue, a deferred message waits at its sender",
        {"warmup-relay": (sys.executable, "-m", "relay", "--version")},
    )
    workers = 2

    def __init__(self, wanted: Wanted) -> None:
        super().__init__(wanted)
        self._web = free_port()
        made = subprocess.run(
            [sys.executable, "-m", "relay", "token", "--username", USER, "--json"],
            capture_output=True, text=True, check=True, timeout=30, cwd=ROOT,
        )  # fmt: skip
        self._credential = json.loads(made.stdout)

    def start(self) -> None:
        self.write(
            "relay.yaml",
            self.fill(
                "ours/relay.yaml",
                WEB=self._web,
                SECRET=self._credential["secret"],
                WORKERS=self.workers,
                SELECTOR=self.keys.section[self.signature]["selector"],
            ),
        )
        self._write_policy()
        command: list[str | Path] = [sys.executable, "-m", "relay", "serve"]
        command += ["--config", "relay.yaml"]
        if self.wanted.clock:
            command += ["--clock", self.wanted.clock.path]
        self.launch("relay", *command, faked=False)
        until(self._ready, "the relay to be ready", timeout_s=30, detail=self.tails)

    def _write_policy(self) -> None:
        self.write("policies/bench.yaml", self.fill("ours/policies/bench.yaml"))

    def _get(self, path: str) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._web}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    def _ready(self) -> bool:
        return bool(self._get("/readyz"))

    def stop(self) -> None:
        self.terminate("relay")

    def edit(self, cap: int) -> None:
        """Save the policy: the relay sees it by itself."""
        self.cap = cap
        self._write_policy()
        in_force = re.compile(rf'^relay_quota_cap{{.*provider="all".*}} {cap}(\.0)?$', re.MULTILINE)
        until(lambda: in_force.search(self._get("/metrics")), "the new cap")

    def login(self) -> tuple[str, str]:
        return USER, self._credential["token"]


class OneWorker(Ours):
    """What one process does, on one core and a bit."""

    about = replace(Ours.about, name="ours-one-worker", title="warmup-relay, one worker")
    workers = 1


class Ed25519(Ours):
    """Signing with the short key: what is left is the relay's own work."""

    about = replace(Ours.about, name="ours-ed25519", title="warmup-relay, Ed25519")
    signature = 1
