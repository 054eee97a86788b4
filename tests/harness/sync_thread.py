"""What syncs the store's file, in a thread of the test: the real one, but what it does is given."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from threading import Thread

from relay.syncing.serving import Serving

END_S = 5


def nothing() -> None:
    """Work that is done at once."""


class SyncThread:
    """Serves at `path` until `end`; `all_written` and `files` are what it does when asked."""

    def __init__(
        self, path: Path, all_written: Callable[[], None], files: Callable[[], None] = nothing
    ) -> None:
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        reading, self._lifeline = os.pipe()
        self._reading = reading
        self._serving = Serving(listener, reading, files, all_written)
        self._thread = Thread(target=self._serving.serve, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """As the end of its owner."""
        os.close(self._lifeline)
        self._thread.join(END_S)
        assert not self._thread.is_alive()
        self._serving.close()
        os.close(self._reading)
