"""The two peers that count in Redis: Haraka with its limit plugin, and the naive relay."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import redis

from bench.peers.system import CONF, DOMAIN, ROOT, About, System, Wanted
from tests.harness.ports import free_port
from tests.harness.store import redis_binary
from tests.harness.waiting import until

WORKERS = 2  # in conf/haraka/smtp.ini
HARAKA = ROOT / ".cache" / "haraka"


class WithRedis(System):
    """A system with a Redis of its own, which stays up when the mail daemon is restarted."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__(wanted)
        self.redis_port = free_port()

    def start(self) -> None:
        if "redis" not in self._children:
            config = self.write("redis.conf", self.fill("redis/redis.conf", PORT=self.redis_port))
            self.launch("redis", redis_binary(), config, faked=False)
            self.await_port(self.redis_port, "Redis")
        self.start_mail()
        self.await_port(self.port, self.about.title)

    def moved(self, seconds: float) -> None:
        """Redis does not run under libfaketime: what is left of each key's life is shortened."""
        for database in range(5):
            with redis.Redis(port=self.redis_port, db=database, socket_timeout=5) as client:
                for key in client.scan_iter():
                    if (left_s := client.ttl(key)) >= 0:
                        client.expire(key, max(0, int(left_s - seconds)))

    def start_mail(self) -> None:
        """Start the mail daemon."""
        raise NotImplementedError

    def stop(self) -> None:
        self.terminate("mail")


class Haraka(WithRedis):
    """Haraka, two workers, plugins relay, redis, limit, dkim and queue/smtp_forward."""

    about = About(
        "haraka",
        "Haraka + limit + Redis",
        "the limit plugin's rate_rcpt_sender for the domain",
        "a day's quota: its window is 24 h from the first recipient; a ramp",
        {
            "Node": ("node", "--version"),
            "Haraka": (
                "node",
                "-p",
                f"require('{HARAKA}/node_modules/Haraka/package.json').version",
            ),
            "Redis": (redis_binary(), "--version"),
        },
    )

    def start_mail(self) -> None:
        assert HARAKA.exists(), "Haraka is not there; see scripts/setup bench"
        # What `haraka -i` puts into a new directory, and beside it what is ours.
        for name in ("connection.ini", "log.ini"):
            shipped = HARAKA / "node_modules" / "Haraka" / "config" / name
            self.write(f"config/{name}", shipped.read_text())
        for path in (CONF / "haraka").iterdir():
            self._write(path)
        for name, text in (("private", self.key.read_text()), ("selector", "s1\n")):
            self.write(f"config/dkim/{DOMAIN}/{name}", text)
        program = HARAKA / "node_modules" / "Haraka" / "bin" / "haraka"
        # Its window is a time to live in Redis alone: `moved` is all that it sees of time.
        self.launch("mail", "node", program, "-c", self.home, faked=False)

    def settle(self) -> None:
        """The plugin counts nothing until each worker, and the master, has its Redis."""
        connected = "[limit] connected to"
        until(lambda: (self.home / "mail.out").read_text().count(connected) > WORKERS, "Redis")

    def _write(self, template: Path) -> None:
        text = self.fill(f"haraka/{template.name}", REDIS=self.redis_port)
        self.write(f"config/{template.name}", text)

    def edit(self, cap: int) -> None:
        """Save limit.ini: the plugin has it read again by itself."""
        self.cap = cap
        self._write(CONF / "haraka" / "limit.ini")
        time.sleep(3)


class Naive(WithRedis):
    """What an afternoon gives: see naive.py."""

    about = About(
        "naive",
        "naive relay (aiosmtpd, redis-py, dkimpy, aiosmtplib)",
        "GET, compare, send, INCRBY of one key for each domain and day",
        "production: it is the floor that everything else is measured from",
        {"Redis": (redis_binary(), "--version")},
    )

    def start_mail(self) -> None:
        self.launch(
            "mail", sys.executable, "-m", "bench.peers.naive",
            "--port", str(self.port), "--upstream", str(self.wanted.sink_port),
            "--redis", str(self.redis_port), "--cap", str(self.cap),
            "--domain", DOMAIN, "--key", self.key,
        )  # fmt: skip

    def edit(self, cap: int) -> None:
        """The cap is an argument: restart."""
        self.stop()
        self.cap = cap
        self.start()
