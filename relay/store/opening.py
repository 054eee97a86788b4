"""From a config to a store that answers."""

from __future__ import annotations

import logging
from pathlib import Path

from relay.core.config import StoreConfig
from relay.ports import Clock
from relay.store.embedded import EmbeddedStore
from relay.store.line import Line
from relay.store.outages import told
from relay.store.ownership import attach
from relay.store.pool import Pool
from relay.store.redis_store import RedisStore
from relay.store.troubles import StoreUnusable

log = logging.getLogger(__name__)


async def open_store(
    config: StoreConfig, data_dir: Path, clock: Clock, *, share: bool = False
) -> RedisStore:
    """The store of `config`; the embedded one lives below `data_dir`.

    With `share`, a running relay's embedded store is used where there is one, which is what
    a command line beside it wants. A server that does not answer is no reason to fail: the
    relay then starts and defers (rule 5). Raises StoreUnusable for what time does not cure.
    Call it in the main thread; the store is bound to the running loop.
    """
    url = config.url or (attach(data_dir) if share else None)
    if url is not None:
        return await _reached(Line(Pool(url, config.timeout_s), config.timeout_s), clock)
    embedded = await EmbeddedStore.start(data_dir)
    try:
        line = Line(Pool(embedded.url, config.timeout_s), config.timeout_s)
        return await _reached(line, clock, embedded)
    except BaseException:
        await embedded.stop()
        raise


async def _reached(line: Line, clock: Clock, embedded: EmbeddedStore | None = None) -> RedisStore:
    try:
        await line.reach()
    except StoreUnusable:
        await line.close()
        raise
    except Exception as error:  # noqa: BLE001  whatever it is, the relay defers meanwhile
        log.warning("the store does not answer yet: %s", told(error))
    return RedisStore(line, clock, embedded)
