"""Where the workers of one relay live on disk: below `data_dir`, only while it runs.

Their counts (files that they map into memory) and the unix sockets on which they answer their
supervisor. Private to the relay's user (mode 0700).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

SOCKET_PATH_BYTES: Final = 100
"""`sun_path` holds 108 bytes on Linux, the terminating zero included (unix(7))."""


class Quarters:
    """Made anew at every start: counters begin at 0, as those of any process do."""

    def __init__(self, data_dir: Path) -> None:
        """Raises OSError."""
        self.metrics = data_dir.absolute() / "workers"
        shutil.rmtree(self.metrics, ignore_errors=True)
        self.metrics.mkdir(mode=0o700, parents=True)
        longest = self.metrics / "9999.sock"
        is_short = len(os.fsencode(longest)) <= SOCKET_PATH_BYTES
        self._sockets = self.metrics if is_short else Path(tempfile.mkdtemp(prefix="warmup-"))

    @property
    def beat(self) -> Path:
        """The file that the web process touches while it lives."""
        return self.metrics / "web.beat"

    def ops(self, number: int) -> Path:
        """The socket of worker `number`."""
        return self._sockets / f"{number}.sock"

    def close(self) -> None:
        """Take it all away."""
        for directory in (self.metrics, self._sockets):
            shutil.rmtree(directory, ignore_errors=True)
