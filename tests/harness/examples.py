"""How many examples a property is tried with: `make test` tries the same ones every time."""

from __future__ import annotations

import os

ONE_IN = 4


def examples(count: int) -> int:
    """`count` in `make test-all`, which tries new ones; a quarter of it elsewhere."""
    return count if os.environ.get("EXAMPLES") == "new" else count // ONE_IN
