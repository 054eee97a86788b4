"""The real command, `warmup-relay`, in a process of its own.

Starts it on a config, waits until it says it is ready, talks to it by the command line, and
shows its log when something goes wrong.
"""

from __future__ import annotations

import http
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harness.asked import status_of
from tests.harness.clock import MovableClock
from tests.harness.processes import Child
from tests.harness.relay_config import DOMAIN, RelayConfig
from tests.harness.waiting import until

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "relay")
READY_S = 45.0  # a busy machine takes its time
STOP_S = 20.0


_AWAITED = re.compile(r'"worker \d+": "(?!ok")')


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command of the command line gave."""

    exit: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its standard output as JSON."""
        return json.loads(self.out)


def run_command(
    *arguments: str | Path, cwd: Path = ROOT, timeout_s: float = 90, stdin: str = ""
) -> Ran:
    """Run `warmup-relay ARGUMENTS` to its end."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        input=stdin,
        text=True,
        timeout=timeout_s,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return Ran(done.returncode, done.stdout, done.stderr)


class RelayProcess:
    """One relay in `home`. `clock` may be shared by several. `options` are added to `serve`."""

    def __init__(
        self, home: Path, config: RelayConfig | None = None, clock: MovableClock | None = None
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self.config = config or RelayConfig()
        self.clock = clock or MovableClock(home / "clock")
        self.config_path = self.config.write(home)
        self.options: tuple[str, ...] = ()
        self._child: Child | None = None

    # -- its life ---------------------------------------------------------------------

    def start(self) -> RelayProcess:
        """Start it and wait until it is ready."""
        self.launch()
        until(
            self._is_ready_or_dead, "the relay to be ready", timeout_s=READY_S, detail=self.log_tail
        )
        assert self.child.returncode is None, f"the relay ended\n{self.log_tail()}"
        return self

    def launch(self) -> Child:
        """Start it without waiting."""
        command = [*COMMAND, "serve", "--config", self.config_path, "--clock", self.clock.path]
        command += self.options
        self._child = Child(
            command,
            self.home / "relay.log",
            cwd=self.home,
            env={"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        )
        return self._child

    def _is_ready_or_dead(self) -> bool:
        if self.child.returncode is not None:
            return True
        answer = self.http("/readyz")
        # One worker is enough for 200; what a test asks next may reach the other one. A single
        # worker is named by no check of its own.
        is_whole = self._workers() == 1 or '"worker 1": "ok"' in answer.body
        is_ready = answer.status == 200 and is_whole and not _AWAITED.search(answer.body)
        return is_ready and (not self.config.api or self._web_is_up())

    def _web_is_up(self) -> bool:
        """Whether the web process of this relay, which comes up last, refuses us by itself."""
        return self.http("/api/warmup").status == http.HTTPStatus.UNAUTHORIZED

    def _workers(self) -> int:
        if "--workers" in self.options:
            return int(self.options[self.options.index("--workers") + 1])
        return self.config.more.get("workers", 1)

    def sigterm(self, timeout_s: float = STOP_S) -> int:
        """Ask it to stop; its exit status."""
        return self.child.terminate(timeout_s)

    def kill9(self) -> None:
        """As a crash."""
        self.child.kill()

    def hang_up(self) -> None:
        """SIGHUP: reload."""
        self.child.send(signal.SIGHUP)

    def restart(self) -> RelayProcess:
        """Start it again on the same files and ports, after `sigterm` or `kill9`."""
        assert self.child.returncode is not None
        return self.start()

    def end(self) -> None:
        """For finalizers."""
        if self._child:
            self._child.end()

    # -- what is seen of it -----------------------------------------------------------

    @property
    def child(self) -> Child:
        """The process."""
        assert self._child, "the relay was not started"
        return self._child

    @property
    def port(self) -> int:
        """The port of its first listener."""
        return self.config.smtp_ports[0]

    def http(self, path: str) -> HttpAnswer:
        """GET from its web address; status 0 where nothing answers."""
        url = f"http://127.0.0.1:{self.config.web_port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return HttpAnswer(answer.status, answer.read().decode())
        except urllib.error.HTTPError as error:
            return HttpAnswer(error.code, error.read().decode())
        except OSError as error:
            return HttpAnswer(0, str(error))

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of `name` that carry `labels`; 0 where there is none."""
        answer = self.http("/metrics")
        assert answer.status == 200, answer
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in answer.body.splitlines()
            if line.startswith((f"{name} ", f"{name}{{")) and all(pair in line for pair in wanted)
        )

    def cli(self, *arguments: str, stdin: str = "") -> Ran:
        """Run a command on this relay's config, whatever its exit status."""
        return run_command(*arguments, "--config", self.config_path, cwd=self.home, stdin=stdin)

    def status(self, route: str = DOMAIN) -> dict[str, Any]:
        """What `warmup-relay status ROUTE --json` prints, without the time a command takes."""
        return status_of(self.config_path, route)

    def log_tail(self) -> str:
        """The end of its log."""
        return self.child.tail() if self._child else "(not started)"

    def log_lines(self) -> list[dict[str, Any]]:
        """Its log as far as it is JSON."""
        lines = (self.home / "relay.log").read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer of the web address."""

    status: int
    body: str
