"""structlog without rich, which it imports for coloured tracebacks: 4 MB of every process.

To be imported before anything else imports structlog; does nothing after that. rich itself
can be imported as ever (the command line prints tables with it).
"""

from __future__ import annotations

import sys

if "structlog" not in sys.modules and "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment]  # importing it is an ImportError now
    try:
        import structlog  # noqa: F401
    finally:
        del sys.modules["rich"]
