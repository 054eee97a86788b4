"""A child's side: it dies with its parent, reads its order, and says once how it came up.

The order comes on standard input, ended by the end of the file; the answer is one line of
JSON on standard output. Logs go to standard error, which all share. One that is to show that
its loop still turns touches a file.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from relay.concurrency.waiting import set_within

_PR_SET_PDEATHSIG: Final = 1

BEAT_S: Final = 1.0
"""How often a file is touched."""


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies (prctl(2); Linux only).

    Of a parent that died earlier the kernel tells nothing: ask `is_orphan` afterwards.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def is_orphan(parent: int) -> bool:
    """Whether the process `parent`, which gave the order, is no longer our parent."""
    return os.getppid() != parent


def read_order() -> bytes:
    """What the parent wrote; empty where there is none, or it died before it had written."""
    with os.fdopen(os.dup(0), "rb") as pipe:
        order = pipe.read()
    devnull = os.open(os.devnull, os.O_RDONLY)
    os.dup2(devnull, 0)
    os.close(devnull)
    return order


def say_ready() -> None:
    """Tell the parent that this process serves; its signals are handled from now on."""
    _say({"ready": True})


def say_failed(why: str) -> None:
    """Tell the parent why this process cannot serve; it ends now."""
    _say({"failed": why})


async def beat(file: Path, stop: asyncio.Event) -> None:
    """Touch `file`, which exists or can be made, every BEAT_S until `stop` is set."""
    while not stop.is_set():
        with suppress(OSError):  # the parent will take it that we hang, and answer for us
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600))
            os.utime(file)
        await set_within(stop, BEAT_S)


def _say(line: dict[str, object]) -> None:
    os.write(1, json.dumps(line).encode() + b"\n")
