"""A config in force on its way from one process of a relay to another, in the form of `frames.py`.

Who takes it (`ApartReader.take`) has then read those frames, and shares what stays the same with
the first config that it reads itself.
"""

from __future__ import annotations

import asyncio

from relay.concurrency.beside import short_turns
from relay.core.config import Config
from relay.settings.apart.frames import as_frames
from relay.settings.loaded import Loaded
from relay.settings.prints import Print

Handed = tuple[bytes, ...]


async def handed(config: Config, seen: Print) -> Handed:
    """`config`, which files that looked like `seen` said; made beside the loop."""
    return await asyncio.to_thread(_frames, Loaded(config, {}, seen))


def _frames(loaded: Loaded) -> Handed:
    with short_turns():
        return tuple(as_frames(loaded))
