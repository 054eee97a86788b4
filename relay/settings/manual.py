"""The generated files: `python -m relay.settings.manual` writes them, `--check` compares.

relay.example.yaml, docs/settings.md and docs/policies.md come from the descriptions in the
schema, so that none of them can lie about it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import relay
from relay.settings.example_values import config_text, dkim_key_path, example_text
from relay.settings.policies import read_policies
from relay.settings.tables import policies_text, settings_text

__all__ = ["config_text", "dkim_key_path", "example_text", "generated", "main"]


def generated() -> dict[str, str]:
    """Each generated file's path from the root of the repository, and its text."""
    return {
        "relay.example.yaml": example_text(),
        "docs/settings.md": settings_text(),
        "docs/policies.md": policies_text(read_policies([])),
    }


def main(arguments: Sequence[str], root: Path) -> int:
    """Write the files below `root`; with `--check` only compare: 1 if any is out of date."""
    stale = [name for name, text in generated().items() if _current(root / name) != text]
    if "--check" not in arguments:
        for name in stale:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(generated()[name], encoding="utf-8")
    for name in stale:
        sys.stdout.write(f"{name} {'is out of date' if '--check' in arguments else 'written'}\n")
    return 1 if stale and "--check" in arguments else 0


def _current(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path(relay.__file__).resolve().parents[1]))
