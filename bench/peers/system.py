"""What every system under test has in common: a home, a port, a cap, and a life.

It knows no mail server; those are in the modules beside it. A system is configured by the files
of `conf/`, in which `@NAME@` is filled in, and lives in a temporary directory on free ports.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.peers.clock import Clock
from tests.harness.dkim_keys import DkimKeys
from tests.harness.ports import free_port, is_listening
from tests.harness.processes import Child
from tests.harness.waiting import until

ROOT = Path(__file__).resolve().parents[2]
CONF = Path(__file__).with_name("conf")
DOMAIN = "news.acme.example"
NEVER_REACHED = 100_000_000
START_S = 30.0
SETTLE_S = 2.0
STOP_S = 20.0  # more than a supervisor takes


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a system is to do: hand mail to `sink_port`, at most `cap` recipients a day.

    `clock` moves its time, where it can be moved.
    """

    sink_port: int
    cap: int = NEVER_REACHED
    clock: Clock | None = None


@dataclass(frozen=True, slots=True)
class About:
    """What is said of a system: who it is, how its cap is made, and what it was not made for."""

    name: str
    title: str
    mechanism: str
    not_made_for: str
    versions: Mapping[str, Sequence[str]] = field(default_factory=dict)


class System:
    """One system, not started yet. `end` must be called, whatever happened."""

    about: About
    signs = True
    signature = 0  # which of `keys` it signs with: RSA-2048, or Ed25519
    queues = False  # whether it answers 250 before the sink has the mail

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.cap = wanted.cap
        self.port = free_port()
        # Others than root must be able to enter: most daemons drop their privileges.
        # postfwd takes no socket in a path with a plus.
        name = self.about.name.replace("+", "-")
        self.home = Path(tempfile.mkdtemp(prefix=f"wr-bench-{name}-"))
        self.home.chmod(0o755)
        self.keys = DkimKeys(self.home / "dkim", DOMAIN)
        self.key = Path(self.keys.section[self.signature]["key"])
        self._children: dict[str, Child] = {}

    # -- for the systems ----------------------------------------------------------------

    def launch(
        self,
        name: str,
        *command: str | Path,
        env: Mapping[str, str] | None = None,
        faked: bool = True,
        background: bool = False,
    ) -> None:
        """Start one daemon of it, under a supervisor.

        `faked`: its time comes from the clock. `background`: that is where it puts itself.
        """
        clock = self.fake_time() if faked else {}
        supervised = [sys.executable, "-m", "bench.peers.supervisor"]
        supervised += [*(["--background"] if background else []), "/usr/bin/env"]
        self._children[name] = Child(
            [*supervised, *_assigned(clock, env), *command],
            self.home / f"{name}.out",
            cwd=self.home,
            env={"PYTHONPATH": str(ROOT)},
        )

    def fake_time(self) -> Mapping[str, str]:
        """The environment that moves a daemon's time, if there is a clock."""
        return self.wanted.clock.environment() if self.wanted.clock else {}

    def terminate(self, name: str) -> None:
        """SIGTERM to one daemon; it has ended when this returns."""
        if child := self._children.pop(name, None):
            child.terminate(STOP_S)

    def fill(self, template: str, **values: object) -> str:
        """A file of `conf/` with its names filled in."""
        known: dict[str, object] = {
            "PORT": self.port, "SINK": self.wanted.sink_port, "CAP": self.cap, "HOME": self.home,
            "KEY": self.key, "DOMAIN": DOMAIN,
        }  # fmt: skip
        known |= values
        text = (CONF / template).read_text()
        return re.sub(r"@([A-Z_]+)@", lambda found: str(known[found[1]]), text)

    def write(self, name: str, text: str) -> Path:
        """Write a file into its home."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def await_port(self, port: int, what: str) -> None:
        """Until something listens there."""
        until(lambda: is_listening(port), f"{what} to listen", timeout_s=START_S, detail=self.tails)

    def tails(self) -> str:
        """The ends of what its daemons wrote."""
        return "\n".join(child.tail() for child in self._children.values())

    # -- for the bench ------------------------------------------------------------------

    def start(self) -> None:
        """Start it; it takes mail when this returns."""
        raise NotImplementedError

    def settle(self) -> None:
        """Wait until all of it is ready, where its port opens earlier."""
        time.sleep(SETTLE_S)

    def stop(self) -> None:
        """Stop the mail daemons as documented; files and store stay."""
        raise NotImplementedError

    def edit(self, cap: int) -> None:
        """Change the cap and make it known, as documented; in force when this returns."""
        raise NotImplementedError

    def moved(self, seconds: float) -> None:
        """Told after its clock was moved on: for what of it does not read that clock."""

    def login(self) -> tuple[str, str] | None:
        """User and password, where AUTH is a part of the system under test."""
        return None

    def roots(self) -> list[int]:
        """The supervisors: everything that belongs to the system is below them."""
        return [child.pid for child in self._children.values()]

    def end(self) -> None:
        """End all of it and remove its home."""
        for child in reversed(list(self._children.values())):
            with suppress(AssertionError):
                child.terminate(STOP_S)
            child.end()
        self._children.clear()
        shutil.rmtree(self.home, ignore_errors=True)


def _assigned(*environments: Mapping[str, str] | None) -> list[str]:
    """For env(1): set for the daemon and not for its supervisor."""
    merged: dict[str, str] = {}
    for environment in environments:
        for name, value in (environment or {}).items():
            joined = f"{merged[name]}:{value}" if name == "LD_PRELOAD" and name in merged else value
            merged[name] = joined
    return [f"{name}={value}" for name, value in merged.items()]
