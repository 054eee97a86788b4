"""This program once more: as a child, or instead of this process (`relay/serving/__main__.py`)."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

import relay


def command(*words: str) -> tuple[str, ...]:
    """The argv of the serving process WORDS; -P keeps out what lies in its directory."""
    return (sys.executable, "-P", "-m", "relay.serving", *words)


def become(*words: str) -> NoReturn:
    """Be the serving process WORDS from now on, with the same process id and nothing in memory."""
    sys.stdout.flush()
    sys.stderr.flush()
    argv = command(*words)
    os.execve(argv[0], argv, {**os.environ, **importing_this_package()})  # noqa: S606  # nosec B606


def importing_this_package() -> dict[str, str]:
    """The environment for it, wherever this process was started."""
    root = str(Path(relay.__file__).resolve().parents[1])
    before = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join([root, before] if before else [root])}
