"""This program once more, as a child: the hidden commands that only a parent gives."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import relay


def command(*words: str) -> tuple[str, ...]:
    """The argv of `warmup-relay WORDS`; -P keeps out what lies in its directory."""
    return (sys.executable, "-P", "-m", "relay", *words)


def importing_this_package() -> dict[str, str]:
    """The environment for it, wherever this process was started."""
    root = str(Path(relay.__file__).resolve().parents[1])
    before = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join([root, before] if before else [root])}
