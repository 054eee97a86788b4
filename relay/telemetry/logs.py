"""Structured logs on stderr: console on a terminal, else one JSON object a line."""

from __future__ import annotations

import logging
import sys

import structlog

from relay.core.config import LogConfig, LogFormat
from relay.telemetry.lines import Lines, LinesHandler


def set_up_logs(config: LogConfig) -> None:
    """Send structlog's and the standard library's events to stderr, alike.

    structlog's do not pass through the standard library: every message has one.
    """
    level = logging.getLevelNamesMapping()[config.level.upper()]
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderers = _renderers(config.format)
    lines = Lines(sys.stderr)
    structlog.configure(
        processors=[*shared, *renderers],
        logger_factory=lambda *_: lines,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = LinesHandler(lines)
    strip = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[strip, *renderers]
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for noisy in ("mail.log", "asyncio", "uvicorn", "uvicorn.error", "watchfiles"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))


def name_process(name: str) -> None:
    """Put `name` into every event of this process from now on, as `process`."""
    structlog.contextvars.bind_contextvars(process=name)


def _renderers(wanted: LogFormat) -> list[structlog.types.Processor]:
    console = wanted is LogFormat.CONSOLE or (wanted is LogFormat.AUTO and sys.stderr.isatty())
    if console:
        return [structlog.dev.ConsoleRenderer()]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
