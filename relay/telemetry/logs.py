"""Structured logs on stderr: console on a terminal, else one JSON object a line."""

from __future__ import annotations

import logging
import sys

import structlog

from relay.core.config import LogConfig, LogFormat
from relay.telemetry.json_line import add_to_all, json_line, with_constants
from relay.telemetry.lines import Lines, LinesHandler
from relay.telemetry.outlet import outlet_of


def set_up_logs(config: LogConfig) -> None:
    """Send structlog's and the standard library's events to stderr, alike.

    structlog's do not pass through the standard library: every message has one.
    """
    level = logging.getLevelNamesMapping()[config.level.upper()]
    steps = _steps(config.format)
    lines = Lines(outlet_of(sys.stderr))
    structlog.configure(
        processors=steps,
        logger_factory=lambda *_: lines,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = LinesHandler(lines)
    strip = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=[strip, *steps]))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for noisy in ("mail.log", "asyncio", "uvicorn", "uvicorn.error", "watchfiles"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))


def name_process(name: str) -> None:
    """Put `name` into every event of this process from now on, as `process`."""
    add_to_all("process", name)


def _steps(wanted: LogFormat) -> list[structlog.types.Processor]:
    if wanted is LogFormat.CONSOLE or (wanted is LogFormat.AUTO and sys.stderr.isatty()):
        return [
            with_constants,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(),
        ]
    return [json_line]
