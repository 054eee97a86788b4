"""DKIM keys that the config names and that do not exist yet: made where that is safe.

Safe is below the data directory, which belongs to this relay alone; anywhere else a missing
key is a mistake, and mail of its domain is deferred until it is there. So it is where thousands
are missing: a start makes some, and a key takes a tenth of a second.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import structlog

from relay.core.config import Config
from relay.core.tenants.tenancy import DkimKey
from relay.signing.generate import KeyKind, generate_key
from relay.signing.record import key_record

log = structlog.get_logger("relay")


MOST_MADE: Final = 100
"""At one start."""


def make_missing_keys(config: Config) -> None:
    """Make an RSA-2048 key for selectors whose file is missing below `data_dir`."""
    missing: dict[Path, tuple[str, DkimKey]] = {}
    for domain in config.directory.domains.values():
        for entry in domain.dkim:
            if not isinstance(entry, DkimKey):
                continue  # it is in the store
            if entry.path.is_relative_to(config.data_dir) and not entry.path.exists():
                missing.setdefault(entry.path, (domain.name, entry))
    for path, (name, entry) in list(missing.items())[:MOST_MADE]:
        generate_key(path, KeyKind.RSA)
        record = key_record(name, entry.selector, path)
        log.warning("made a DKIM key: publish its record", name=record.name, txt=record.value)
    if len(missing) > MOST_MADE:
        left = len(missing) - MOST_MADE
        log.error("DKIM keys are missing: mail of their domains is deferred", count=left)
