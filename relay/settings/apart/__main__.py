"""The reading process: reads one relay.yaml, writes what it says to stdout, and ends.

`python -m relay.settings.apart FILE [nice]`, started by `reader.py`; not for people.
"""

from __future__ import annotations

if __name__ == "__main__":
    from relay.thrift import resting as _resting  # noqa: F401  to the end, which is soon

# isort: split
import os
import pickle
import sys
from pathlib import Path
from typing import BinaryIO

from relay.settings.apart.frames import as_frames, write_frame
from relay.settings.large.wholesale import frames_in_pieces
from relay.settings.load import load
from relay.settings.problems import ConfigProblems


def read_for(out: BinaryIO, path: Path) -> None:
    """The config in `path` as frames; or one frame, with its problems and the files read."""
    try:
        frames = frames_in_pieces(path, os.environ) or as_frames(load(path, os.environ))
    except ConfigProblems as found:
        write_frame(out, pickle.dumps((found.problems, found.files, found.seen)))
        return
    for frame in frames:
        write_frame(out, frame)


def main() -> None:
    """Run as a process."""
    os.nice(int(sys.argv[2]))
    try:
        read_for(sys.stdout.buffer, Path(sys.argv[1]))
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # who asked was killed: its log is no place for a traceback of ours
        os._exit(1)
    os._exit(0)  # a million objects need not be taken down one by one


if __name__ == "__main__":
    main()
