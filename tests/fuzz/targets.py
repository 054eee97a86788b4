"""The targets by name, each in a module of its own that is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

NAMES = (
    "api_request",
    "auth_payload",
    "config_file",
    "dialogue",
    "from_header",
    "mx_answer",
    "proxy_header",
    "signing",
    "upstream_reply",
)
CORPUS = Path(__file__).parent / "corpus"


def target(name: str) -> ModuleType:
    """Its module: `run(data)`, `SEEDS` and `DICTIONARY`."""
    return import_module(f"tests.fuzz.{name}")


def kept(name: str) -> list[Path]:
    """The inputs that were kept of it, in a fixed order."""
    return sorted((CORPUS / name).glob("*"))
