"""A private Postfix, queue and all, that sends everything to one relay host.

It shares nothing with an instance of the machine but the programs: own configuration, queue
and data directories, loopback only, no chroot. Postfix must be started by root.
"""

from __future__ import annotations

import json
import os
import shutil
import smtplib
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.harness.ports import free_port
from tests.harness.waiting import until

RELOADED = "reload -- version"

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
maillog_file = {home}/log/maillog
maillog_file_prefixes = {home}/log
syslog_name = postfix-test
myhostname = client.acme.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_client_connection_rate_limit = 0
smtpd_client_connection_count_limit = 0
relayhost = [127.0.0.1]:{relay_port}
disable_dns_lookups = yes
smtp_host_lookup = native
smtp_tls_security_level = none
alias_maps =
alias_database =
local_recipient_maps =
biff = no
in_flow_delay = 0
minimal_backoff_time = {backoff_s}s
maximal_backoff_time = {backoff_s}s
queue_run_delay = {backoff_s}s
defer_transports = {defer_transports}
"""

MASTER_CF = """\
{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """One instance. With `holding`, mail waits in the deferred queue until `release`.

    `backoff_s` is the pause between Postfix's own attempts at a deferred message.
    """

    def __init__(self, relay_port: int, *, backoff_s: int = 300, holding: bool = False) -> None:
        self.port = free_port()
        # Not below pytest's own directory, which only its owner may enter: Postfix's daemons
        # run as the user `postfix`.
        self.home = Path(tempfile.mkdtemp(prefix="wr-postfix-"))
        self.home.chmod(0o755)
        self._relay_port = relay_port
        self._backoff_s = backoff_s
        self._holding = holding
        for name in ("etc", "queue", "data", "log"):
            (self.home / name).mkdir(mode=0o755)
        shutil.chown(self.home / "data", "postfix")

    def start(self) -> Postfix:
        """Write the configuration, start, and wait until it greets."""
        assert os.getuid() == 0, "Postfix's master process must be started by root"
        assert shutil.which("postfix"), "postfix is not installed; see scripts/setup"
        self._write()
        self._run("postfix", "start")
        until(self._greets, "Postfix to greet", timeout_s=20, detail=self.log)
        return self

    def _write(self) -> None:
        etc = self.home / "etc"
        main = MAIN_CF.format(
            home=self.home,
            relay_port=self._relay_port,
            backoff_s=self._backoff_s,
            defer_transports="smtp" if self._holding else "",
        )
        (etc / "main.cf").write_text(main)
        (etc / "master.cf").write_text(MASTER_CF.format(port=f"127.0.0.1:{self.port}"))

    def _run(self, command: str, *arguments: str) -> str:
        done = subprocess.run(
            [command, "-c", str(self.home / "etc"), *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, f"{command} {arguments}: {done.stderr}\n{self.log()}"
        return done.stdout

    def _greets(self) -> bool:
        try:
            with smtplib.SMTP("127.0.0.1", self.port, timeout=5):
                return True
        except (OSError, smtplib.SMTPException):
            return False

    def inject(self, count: int, message: Callable[[int], tuple[str, str, bytes]]) -> None:
        """Queue `count` messages; `message(i)` gives sender, recipient and content."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=30) as session:
            for number in range(count):
                sender, recipient, content = message(number)
                session.sendmail(sender, [recipient], content)

    def hand_in(self, sender: str, recipients: list[str], content: bytes) -> None:
        """Queue one message to many; every one of them must be accepted."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=30) as session:
            assert session.sendmail(sender, recipients, content) == {}

    def queue(self) -> list[dict[str, object]]:
        """Every message that it still has, as `postqueue -j` tells it."""
        return [json.loads(line) for line in self._run("postqueue", "-j").splitlines()]

    def settled(self) -> bool:
        """Whether every message left has had its attempt: none is incoming or active."""
        return all(entry["queue_name"] == "deferred" for entry in self.queue())

    def flush(self) -> None:
        """Try everything in the queue now."""
        self._run("postqueue", "-f")

    def release(self) -> None:
        """Stop holding, and try everything."""
        self._holding = False
        self._write()
        before = self._all_log().count(RELOADED)
        self._run("postfix", "reload")  # a queue manager that goes forgets that it was told to try
        until(lambda: self._all_log().count(RELOADED) > before, "the reload", detail=self.log)
        self.flush()

    def log(self) -> str:
        """The end of its mail log."""
        return self._all_log()[-5000:] or "(no mail log)"

    def _all_log(self) -> str:
        log = self.home / "log" / "maillog"
        return log.read_text(errors="replace") if log.exists() else ""

    def stop(self) -> None:
        """For finalizers: end its processes and remove its directories."""
        subprocess.run(
            ["postfix", "-c", str(self.home / "etc"), "stop"],
            capture_output=True,
            timeout=30,
            check=False,
        )
        shutil.rmtree(self.home, ignore_errors=True)
