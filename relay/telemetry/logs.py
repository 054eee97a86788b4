"""Structured logs on stderr: console on a terminal, else one JSON object a line."""

from __future__ import annotations

import logging
import sys

import structlog

from relay.core.config import LogConfig, LogFormat


def set_up_logs(config: LogConfig) -> None:
    """Send structlog's and the standard library's events through one formatter to stderr."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=_renderers(config.format)
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(config.level.upper())
    for noisy in ("mail.log", "asyncio", "uvicorn", "uvicorn.error", "watchfiles"):
        logging.getLogger(noisy).setLevel(max(root.level, logging.WARNING))


def name_process(name: str) -> None:
    """Put `name` into every event of this process from now on, as `process`."""
    structlog.contextvars.bind_contextvars(process=name)


def _renderers(wanted: LogFormat) -> list[structlog.types.Processor]:
    strip = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    console = wanted is LogFormat.CONSOLE or (wanted is LogFormat.AUTO and sys.stderr.isatty())
    if console:
        return [strip, structlog.dev.ConsoleRenderer()]
    return [strip, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
