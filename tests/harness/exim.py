"""A private Exim, queue and all, that sends everything to one relay host.

Debian's Exim cannot be installed beside Postfix, so `scripts/setup tests` only unpacks it into
EXIM. It looks its user up by name at start, and a machine that never installed it has no such
user: nss_wrapper gives it one of its own, in files of this instance. No daemon: mail is queued
and the queue run by commands, each to its end. Must be started by root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

EXIM = Path(__file__).parents[2] / ".cache" / "exim"
USER_ID = 65_533

CONFIG = """\
exim_path = {program}
keep_environment = LD_PRELOAD : NSS_WRAPPER_PASSWD : NSS_WRAPPER_GROUP
spool_directory = {home}/spool
log_file_path = {home}/log/%slog
pid_file_path = {home}/exim.pid
primary_hostname = client.acme.example
trusted_users = root
tls_advertise_hosts =

begin routers
all:
  driver = manualroute
  route_list = * 127.0.0.1 byname
  self = send
  transport = relay

begin transports
relay:
  driver = smtp
  port = {relay_port}
  allow_localhost
  hosts_avoid_tls = *
  hosts_try_dane =
  max_rcpt = {most_recipients}

begin retry
* * F,5d,1s
"""


class Exim:
    """One instance; `most_recipients` is the most that it names in one transaction."""

    def __init__(self, relay_port: int, *, most_recipients: int = 0) -> None:
        # Not below pytest's own directory, which only its owner may enter: Exim delivers as a
        # user of its own.
        self.home = Path(tempfile.mkdtemp(prefix="wr-exim-"))
        self.home.chmod(0o755)
        # A copy: the checkout may be closed to that user, or have a space in its path, which
        # LD_PRELOAD cannot name.
        assert EXIM.exists(), "Exim is not there; see scripts/setup"
        shutil.copytree(EXIM, self.home / "exim", symlinks=True)
        self._program = self.home / "exim" / "usr" / "sbin" / "exim4"
        for name in ("spool", "log"):
            (self.home / name).mkdir()
            os.chown(self.home / name, USER_ID, USER_ID)
        self._write("passwd", f"root:x:0:0::/:\nDebian-exim:x:{USER_ID}:{USER_ID}::/:\n")
        self._write("group", f"root:x:0:\nDebian-exim:x:{USER_ID}:\n")
        config = CONFIG.format(
            program=self._program,
            home=self.home,
            relay_port=relay_port,
            most_recipients=most_recipients,
        )
        self._write("exim.conf", config)

    def _write(self, name: str, text: str) -> None:
        (self.home / name).write_text(text)

    def _run(self, *arguments: str, given: bytes = b"", timeout_s: float = 60) -> str:
        assert os.getuid() == 0, "Exim must be started by root"
        [wrapper] = (self.home / "exim").glob("usr/lib/*/libnss_wrapper.so")
        done = subprocess.run(
            [self._program, "-C", str(self.home / "exim.conf"), *arguments],
            input=given,
            capture_output=True,
            timeout=timeout_s,
            check=False,
            env={
                "PATH": os.environ.get("PATH", ""),
                "LD_PRELOAD": str(wrapper),
                "NSS_WRAPPER_PASSWD": str(self.home / "passwd"),
                "NSS_WRAPPER_GROUP": str(self.home / "group"),
            },
        )
        assert done.returncode == 0, f"exim {arguments}: {done.stderr!r}\n{self.log()}"
        return done.stdout.decode()

    def hand_in(self, sender: str, recipients: list[str], content: bytes) -> None:
        """Queue one message to many."""
        plain = content.replace(b"\r\n", b"\n")
        self._run("-odq", "-i", "-f", sender, *recipients, given=plain)

    def run_queue(self) -> None:
        """Try everything in the queue once, whatever its retry time; returns when done."""
        self._run("-qff")

    def queue(self) -> list[str]:
        """Every recipient that it still has mail for."""
        lines = [line.split() for line in self._run("-bp").splitlines()]
        # "D" before an address marks one that is done with.
        return [line[0] for line in lines if len(line) == 1]

    def log(self) -> str:
        """The end of its main log."""
        log = self.home / "log" / "mainlog"
        return log.read_text(errors="replace")[-5000:] if log.exists() else "(no mail log)"

    def end(self) -> None:
        """For finalizers: remove its directories."""
        shutil.rmtree(self.home, ignore_errors=True)
