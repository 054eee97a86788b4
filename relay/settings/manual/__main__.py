"""The generated files: `python -m relay.settings.manual` writes them, `--check` compares.

relay.example.yaml, docs/settings.md and docs/policies.md come from the descriptions in the
schema, and docs/policies/ from the shipped policies, so that none of them can lie about it.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from pathlib import Path

import relay
from relay.settings.manual.example_values import config_text, dkim_key_path, example_text
from relay.settings.manual.policy_pages import page_text
from relay.settings.manual.tables import policies_text, settings_text
from relay.settings.policies import read_policies

__all__ = ["config_text", "dkim_key_path", "example_text", "generated", "main"]

_PAGES = "docs/policies"


def generated() -> dict[str, str]:
    """Each generated file's path from the root of the repository, and its text."""
    shelf = read_policies([])
    return {
        "relay.example.yaml": example_text(),
        "docs/settings.md": settings_text(),
        "docs/policies.md": policies_text(shelf),
        **{f"{_PAGES}/{name}.md": page_text(shelf.policies[name]) for name in shelf.policies},
    }


def main(arguments: Sequence[str], root: Path) -> int:
    """Write the files below `root`; with `--check` only compare: 1 if any is out of date.

    Pages of policies that are gone are out of date too, and removed.
    """
    is_check = "--check" in arguments
    texts = generated()
    stale = [name for name, text in texts.items() if _current(root / name) != text]
    gone = _without_policy(root, texts)
    if not is_check:
        for name in stale:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(texts[name], encoding="utf-8")
        for name in gone:
            (root / name).unlink()
    for name in stale:
        sys.stdout.write(f"{name} {'is out of date' if is_check else 'written'}\n")
    for name in gone:
        sys.stdout.write(f"{name} {'has no policy any more' if is_check else 'removed'}\n")
    return 1 if is_check and (stale or gone) else 0


def _without_policy(root: Path, names: Collection[str]) -> list[str]:
    pages = sorted((root / _PAGES).glob("*.md"))
    return [f"{_PAGES}/{page.name}" for page in pages if f"{_PAGES}/{page.name}" not in names]


def _current(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path(relay.__file__).resolve().parents[1]))
