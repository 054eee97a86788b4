"""Exim with its ratelimit condition and its own DKIM signing.

The unpacked package of `scripts/setup` (see tests/harness/exim.py, which runs it without a
daemon), here as a daemon in the foreground.
"""

from __future__ import annotations

import os
import shutil
import signal
import time

from bench.peers.system import About, System, Wanted
from tests.harness.exim import EXIM, USER_ID

CHANGES = EXIM / "usr/share/doc/exim4-daemon-light/changelog.Debian.gz"


class Exim(System):
    """Exim 4.96 of Debian 12."""

    about = About(
        "exim",
        "Exim",
        "the ratelimit ACL condition, per_rcpt and leaky, for the sender's domain",
        "a day's quota: it smooths a rate over the period; a ramp",
        # From the package: -bV wants its user to exist.
        {"Exim": ("zgrep", "-m1", "^exim4 ", str(CHANGES))},
    )
    queues = True

    def __init__(self, wanted: Wanted) -> None:
        super().__init__(wanted)
        assert EXIM.exists(), "Exim is not there; see scripts/setup"
        shutil.copytree(EXIM, self.home / "exim", symlinks=True)
        self._program = self.home / "exim" / "usr" / "sbin" / "exim4"
        for name in ("spool", "log"):
            (self.home / name).mkdir()
            os.chown(self.home / name, USER_ID, USER_ID)
        os.chown(self.key, USER_ID, USER_ID)
        self.key.parent.chmod(0o755)
        self.write("passwd", f"root:x:0:0::/:\nDebian-exim:x:{USER_ID}:{USER_ID}::/:\n")
        self.write("group", f"root:x:0:\nDebian-exim:x:{USER_ID}:\n")

    def start(self) -> None:
        self._write()
        [wrapper] = (self.home / "exim").glob("usr/lib/*/libnss_wrapper.so")
        names = {
            "LD_PRELOAD": str(wrapper),
            "NSS_WRAPPER_PASSWD": str(self.home / "passwd"),
            "NSS_WRAPPER_GROUP": str(self.home / "group"),
        }
        self.launch(
            "exim", self._program, "-C", self.home / "exim.conf", "-bdf", "-q10s", env=names
        )
        self.await_port(self.port, "Exim")

    def _write(self) -> None:
        self.write("exim.conf", self.fill("exim/exim.conf", PROGRAM=self._program))

    def stop(self) -> None:
        self.terminate("exim")

    def edit(self, cap: int) -> None:
        """SIGHUP: the daemon executes itself anew and reads its configuration."""
        self.cap = cap
        self._write()
        self._children["exim"].send(signal.SIGHUP)
        time.sleep(1)
        self.await_port(self.port, "Exim")

    def tails(self) -> str:
        logs = [path.read_text()[-2000:] for path in sorted((self.home / "log").iterdir())]
        return "\n".join([super().tails(), *logs])
