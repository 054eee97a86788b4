"""Postfix, alone and with its usual companions: opendkim to sign, postfwd to count."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from bench.peers.system import START_S, About, System
from tests.harness.postfix import MASTER_CF
from tests.harness.waiting import until

POSTFIX_VERSION = ("/usr/sbin/postconf", "-h", "mail_version")


class Postfix(System):
    """Postfix with nothing but itself."""

    about = About(
        "postfix",
        "Postfix",
        "smtpd_client_recipient_rate_limit, counted by anvil for a client address",
        "a domain's volume: its manual keeps the limit for clients that misbehave; signing",
        {"Postfix": POSTFIX_VERSION},
    )
    signs = False
    queues = True

    def start(self) -> None:
        for name in ("queue", "data", "log"):
            (self.home / name).mkdir(mode=0o755, exist_ok=True)
        shutil.chown(self.home / "data", "postfix")
        self._write()
        self._run("check")
        self.launch("postfix", "/usr/sbin/postfix", "-c", self.home / "etc", "start-fg")
        self.await_port(self.port, "Postfix")

    def _write(self) -> None:
        imported = " ".join(f"{name}={value}" for name, value in self.fake_time().items())
        main = self.fill("postfix/main.cf", IMPORTED=imported)
        self.write("etc/main.cf", main + self.extra())
        self.write("etc/master.cf", MASTER_CF.format(port=f"127.0.0.1:{self.port}"))

    def extra(self) -> str:
        """What makes the difference between this one and that with companions."""
        return self.fill("postfix/alone.cf")

    def _run(self, *command: str) -> None:
        subprocess.run(
            ["/usr/sbin/postfix", "-c", self.home / "etc", *command],
            check=True, capture_output=True, timeout=30,
        )  # fmt: skip

    def stop(self) -> None:
        self._run("stop")
        self.terminate("postfix")

    def edit(self, cap: int) -> None:
        """Edit main.cf, `postfix reload`."""
        self.cap = cap
        self._write()
        self._run("reload")

    def tails(self) -> str:
        log = self.home / "log" / "maillog"
        return super().tails() + (log.read_text()[-3000:] if log.exists() else "")


class PostfixWithServices(Postfix):
    """Postfix + opendkim + postfwd."""

    about = About(
        "postfix+postfwd",
        "Postfix + opendkim + postfwd",
        "postfwd's rcpt() at the end of the data, with --save_rates and --keep_rates",
        "a day's quota: its window is so many seconds from the first message; a ramp",
        {
            "Postfix": POSTFIX_VERSION,
            "opendkim": ("/usr/sbin/opendkim", "-V"),
            "postfwd": ("/usr/sbin/postfwd2", "--version"),
        },
    )
    signs = True

    def start(self) -> None:
        # Not over TCP: their answers, in several small writes, wait 40 ms for each other there.
        self._sockets = self.home / "sockets"
        self._sockets.mkdir(exist_ok=True)
        shutil.chown(self._sockets, "nobody", "nogroup")  # postfwd drops its privileges to these
        self._start_opendkim()
        self._start_postfwd()
        super().start()

    def _start_opendkim(self) -> None:
        config = self.write(
            "opendkim.conf", self.fill("opendkim/opendkim.conf", SOCKETS=self._sockets)
        )
        self.launch("opendkim", "/usr/sbin/opendkim", "-f", "-x", config)
        self._await_socket("opendkim")

    def _start_postfwd(self) -> None:
        rates = self.home / "rates"
        rates.mkdir(exist_ok=True)
        shutil.chown(rates, "nobody", "nogroup")
        rules = self.write("postfwd.cf", self.fill("postfwd/postfwd.cf"))
        self.launch("postfwd", *self._postfwd_command(rules, rates), background=True)
        self._await_socket("postfwd")
        self._await_socket("cache")

    def _await_socket(self, name: str) -> None:
        found = self._sockets / name
        until(found.is_socket, f"{name} to listen", timeout_s=START_S, detail=self.tails)

    def _postfwd_command(self, rules: Path, rates: Path) -> list[str | Path]:
        # In the background: without its cache daemon (--nodaemon) it counts nothing.
        return [
            "/usr/sbin/postfwd2", "--daemon", "--nodns", "--shortlog", "--file", rules,
            "--proto", "unix", "--port", self._sockets / "postfwd", "--server_umask", "0000",
            "--cache_proto", "unix", "--cache_port", self._sockets / "cache",
            "--user", "nobody", "--group", "nogroup", "--pidfile", rates / "pid",
            "--save_rates", rates / "saved", "--keep_rates",
        ]  # fmt: skip

    def extra(self) -> str:
        return self.fill("postfix/with_services.cf", SOCKETS=self._sockets)

    def stop(self) -> None:
        super().stop()
        self.terminate("postfwd")
        self.terminate("opendkim")

    def edit(self, cap: int) -> None:
        """Its manual: with --keep_rates, restart after a change of a limit."""
        self.cap = cap
        self.terminate("postfwd")
        self._start_postfwd()
