"""`python -m relay.syncing LISTENER APPENDED POINTER SECONDS`: the process. Not for people.

LISTENER is the descriptor of a listening socket, APPENDED the directory of the server's files,
POINTER the file that holds the path of its socket, SECONDS how long it may take to answer. The
end of standard input is the end of the relay, and of this process; so no signal but SIGKILL ends
it, for the relay needs it until its own end.
"""

from __future__ import annotations

import ctypes
import signal
import socket
import sys
from contextlib import suppress
from typing import Final

from relay.syncing.files import Files
from relay.syncing.overlap import Overlap
from relay.syncing.serving import Serving
from relay.syncing.written import Written

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4


def main(listener: str, appended: str, pointer: str, seconds: str) -> None:
    """Serve until standard input ends."""
    _keep_to_ourselves()
    written = Written(lambda: _read(pointer), float(seconds))
    files = Files(appended)
    bound = socket.socket(fileno=int(listener))
    Serving(bound, 0, lambda: files.sync(None), Overlap(files, written).sync).serve()


def _keep_to_ourselves() -> None:
    """Die with the relay though the disk holds us, and let nobody look in (prctl(2); Linux)."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _read(pointer: str) -> str | None:
    with suppress(OSError), open(pointer, encoding="utf-8") as file:  # noqa: PTH123 - as in files.py
        return file.read()
    return None


if __name__ == "__main__":
    main(*sys.argv[1:])
