"""DKIM keys that the config names and that do not exist yet: made where that is safe.

Safe is below the data directory, which belongs to this relay alone; anywhere else a missing
key is a mistake, and mail of its domain is deferred until it is there.
"""

from __future__ import annotations

import structlog

from relay.core.config import Config
from relay.signing.generate import KeyKind, generate_key
from relay.signing.record import key_record

log = structlog.get_logger("relay")


def make_missing_keys(config: Config) -> None:
    """Make an RSA-2048 key for every selector whose file is missing below `data_dir`."""
    for domain in config.directory.domains.values():
        for entry in domain.dkim:
            if entry.path.exists() or not entry.path.is_relative_to(config.data_dir):
                continue
            generate_key(entry.path, KeyKind.RSA)
            record = key_record(domain.name, entry.selector, entry.path)
            log.warning("made a DKIM key: publish its record", name=record.name, txt=record.value)
