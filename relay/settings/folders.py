"""Which files of a policy directory belong to a config. Knows nothing of what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from relay.settings.problems import Wrong

PROVIDERS_FILE: Final = "providers.yaml"
"""Lies among the policies and is none: the data file of mailbox providers."""

SUFFIX: Final = ".yaml"

_MOST_FILES: Final = 2000


def policy_files(directory: Path) -> list[Path]:
    """The files of `directory` that are meant as policies, by name. Raises Wrong."""
    try:
        found = sorted(
            path
            for path in directory.iterdir()
            if path.suffix in {SUFFIX, ".yml"}
            and not path.name.startswith(".")
            and path.name != PROVIDERS_FILE
        )
    except OSError as error:
        raise Wrong(f"the directory cannot be read: {error.strerror}") from None
    if len(found) > _MOST_FILES:
        raise Wrong(f"more than {_MOST_FILES} policies in one directory")
    return found
