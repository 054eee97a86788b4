"""Free TCP ports on 127.0.0.1.

They are taken from below the range that the kernel gives to outgoing connections, and each
parallel test worker has a part of its own, so that a port stays free until it is used.
"""

from __future__ import annotations

import os
import random
import re
import socket

FIRST, LAST = 12_000, 32_000
_WORKERS = 8
_given: set[int] = set()


def _share() -> range:
    number = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0) % _WORKERS
    width = (LAST - FIRST) // _WORKERS
    return range(FIRST + number * width, FIRST + (number + 1) * width)


def free_port() -> int:
    """A port that nothing listens on and that was not given out before."""
    share = _share()
    for _ in range(500):
        port = random.choice(share)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    raise AssertionError(f"no free port in {share}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def is_listening(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts connections on `port`."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0
