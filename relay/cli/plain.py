"""`serve` as it is nearly always called, understood without typer, which takes 0.2 s to load.

Knows `--config FILE` and `--clock FILE` alone: what else there is, and all that is wrong, is left
to `root.py`, which reads every command line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

DEFAULT_CONFIGS: Final = ("relay.yaml", "relay.example.yaml")
"""What is served, or asked about, where no config is named: the first one that there is."""

_OPTIONS: Final = ("--config", "--clock")


def serving_words(arguments: list[str]) -> tuple[str, ...] | None:
    """What `processes.itself.become` is told for `serve ARGUMENTS`; None if typer has to look."""
    named: dict[str, str] = {}
    left = list(arguments)
    while left:
        name, is_joined, value = left.pop(0).partition("=")
        if not is_joined:
            value = left.pop(0) if left else ""
        if name not in _OPTIONS or not value or value.startswith("-"):
            return None
        named[name] = str(Path(value))
    config = named.get("--config") or _default_config()
    return ("serve", config, "", named.get("--clock", "")) if config else None


def _default_config() -> str:
    return next((name for name in DEFAULT_CONFIGS if Path(name).exists()), "")
