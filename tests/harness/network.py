"""Machines of their own: network namespaces on a bridge, with real addresses.

`inside` puts the calling thread into one: sockets that it opens and processes that it starts
belong there, and stay there. Needs root with CAP_NET_ADMIN and CAP_SYS_ADMIN, as Debian's
`ip netns` does.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count(1)

WHAT_IT_TAKES = (
    "network namespaces cannot be made here: the test needs root with CAP_NET_ADMIN and"
    " CAP_SYS_ADMIN (in a container: --cap-add NET_ADMIN --cap-add SYS_ADMIN)"
)


class Network:
    """Namespaces that see each other as machines on one or more wires."""

    def __init__(self) -> None:
        self._prefix = f"wr{os.getpid()}n{next(_numbers)}"
        self._made: list[str] = []

    def _name(self, machine: str) -> str:
        return f"{self._prefix}{machine}"

    def machine(self, machine: str) -> None:
        """A machine with nothing but its loopback. A missing capability is an AssertionError."""
        done = _ip("netns", "add", self._name(machine))
        assert done.returncode == 0, f"{WHAT_IT_TAKES}: {done.stderr}"
        self._made.append(machine)
        self._run(machine, "link", "set", "lo", "up")

    def bridge(self, machine: str, wire: str, address: str) -> None:
        """`machine` is in the middle of `wire`, with `address` ("10.0.0.1/24")."""
        self._run(machine, "link", "add", wire, "type", "bridge")
        self._run(machine, "link", "set", wire, "up")
        self._run(machine, "address", "add", address, "dev", wire)

    def plug(self, machine: str, middle: str, wire: str, *addresses: str) -> None:
        """Connect `machine` to `wire` of `middle`, with those addresses."""
        ours, theirs = "eth0", f"to-{machine}"
        peer = ("peer", "name", ours, "netns", self._name(machine))
        self._run(middle, "link", "add", theirs, "type", "veth", *peer)
        self._run(middle, "link", "set", theirs, "master", wire, "up")
        self._run(machine, "link", "set", ours, "up")
        for address in addresses:
            self._run(machine, "address", "add", address, "dev", ours)

    def _run(self, machine: str, *arguments: str) -> None:
        done = _ip("-n", self._name(machine), *arguments)
        assert done.returncode == 0, f"ip {' '.join(arguments)} in {machine}: {done.stderr}"

    @contextmanager
    def inside(self, machine: str) -> Iterator[None]:
        """The calling thread is on `machine` while the block runs."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(Path("/run/netns") / self._name(machine), os.O_RDONLY)
        try:
            _enter(there)
            yield
        finally:
            _enter(home)
            os.close(there)
            os.close(home)

    def close(self) -> None:
        """For finalizers: no machine is left. Processes on them have to be ended before."""
        for machine in self._made:
            _ip("netns", "delete", self._name(machine))


def _ip(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ip", *arguments], capture_output=True, text=True, timeout=20, check=False
    )


def _enter(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), f"{WHAT_IT_TAKES}: setns")
