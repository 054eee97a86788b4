"""The command line (DESIGN §9): `warmup-relay COMMAND [--config FILE] [--json]`.

Each module holds the commands of one kind; `context.py` what they share. Exit codes: 0 done,
1 a problem was found, 2 the command line was wrong.
"""

from relay.telemetry import lean as _lean  # noqa: F401, I001  before structlog is imported
from relay.cli.main import main

__all__ = ["main"]
