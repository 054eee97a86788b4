"""When files change: told by the system where it can, and looked for every few seconds.

Watches directories, not files, so that an editor which writes a new file and renames it is
seen; looks at what a path leads to, so that a symbolic link which is moved is seen too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from watchfiles import awatch

from relay.concurrency.waiting import set_within
from relay.settings.folders import PROVIDERS_FILE, policy_files
from relay.settings.prints import Print, print_of, stat_now
from relay.settings.problems import Wrong

POLL_S: Final = 2.0
"""The longest that a change goes unseen where the system does not tell of it."""
VAIN_S: Final = 0.4
"""How long to wait where the last two looks were in vain: a log may be written in the folder."""
DEBOUNCE_MS: Final = 200
_LOOK_S: Final = 0.1
_MOST_LOOKS: Final = 20

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Watched:
    """The files of a config, and the directories whose policies belong to it.

    Another `turn` is a change too: what is there is to be read again, edited or not.
    """

    files: tuple[Path, ...]
    directories: tuple[Path, ...]
    turn: int = 0

    def fingerprint(self) -> Print:
        """Name, inode, size and time of everything there is; two differ after an edit."""
        paths = {*self.files}
        for directory in self.directories:
            paths.update((*_policies(directory), directory / PROVIDERS_FILE))
        return print_of((found for path in paths if (found := stat_now(path))), self.turn)

    def folders(self) -> set[Path]:
        """The existing directories in which something may happen."""
        wanted = {path.parent for path in self.files} | {*self.directories}
        wanted |= {directory.parent for directory in self.directories}
        return {folder for folder in wanted if folder.is_dir()}


def _policies(directory: Path) -> list[Path]:
    try:
        return policy_files(directory)
    except Wrong:
        return []


async def changes(
    watched: Callable[[], Watched], known: Callable[[], Print], stop: asyncio.Event
) -> AsyncIterator[Print]:
    """How the files are after every change, until `stop` is set; at the start too, if changed.

    `known` is how the files were when somebody last read them: as long as they are so, nothing
    is told. Both are asked again after every item. A change that happens while the caller
    deals with the one before is told next.
    """
    seen: Print | None = None
    is_blind = False
    async with aclosing(_Lookout(stop)) as lookout:
        while not stop.is_set():
            now = await asyncio.to_thread(watched().fingerprint)
            if now not in {seen, known()}:
                lookout.in_vain = 0
                seen = await _settled(watched())
                if seen != known():
                    yield seen
                continue
            why = await lookout.something(watched().folders())
            if why and not is_blind:
                _log.warning("settings.watching_by_polling", why=why, every_s=POLL_S)
            is_blind = bool(why)


async def _settled(watched: Watched) -> Print:
    """The fingerprint once it stays the same: nobody is in the midst of writing."""
    now = watched.fingerprint()
    for _ in range(_MOST_LOOKS):
        await asyncio.sleep(_LOOK_S)
        before, now = now, watched.fingerprint()
        if before == now:
            break
    return now


class _Halt:
    """Set when `stop` is; setting it, as awatch does when it is cancelled, leaves `stop` alone."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._is_set = False

    def is_set(self) -> bool:
        return self._is_set or self._stop.is_set()

    def set(self) -> None:
        self._is_set = True


class _Lookout:
    """Watches folders, the same ones for as long as they stay: to begin anew holds the loop up.

    `in_vain`: how often in a row something happened; its owner takes it back to 0 where that
    was what it looks for.
    """

    def __init__(self, stop: asyncio.Event) -> None:
        self.in_vain = 0
        self._stop = stop
        self._places: set[tuple[Path, int]] = set()
        self._stirs: AsyncGenerator[object, None] | None = None

    async def something(self, folders: set[Path]) -> str:
        """Until something happens in `folders`, `stop` is set, or POLL_S have passed.

        Where much happens that is in vain, what happens is told VAIN_S later: a look at all files
        is a thread's work, beside the mail. Returns "", or why the system cannot be asked.
        """
        try:
            await self._stirred(folders)
        except (OSError, RuntimeError) as error:
            await self.aclose()
            await set_within(self._stop, POLL_S)
            return str(error)
        return ""

    async def _stirred(self, folders: set[Path]) -> None:
        places = {(folder, folder.stat().st_ino) for folder in folders}
        if self._stirs is None or places != self._places:
            await self.aclose()
            self._stirs, self._places = _stirs(folders, self._stop), places
        try:
            what = await anext(self._stirs)
        except StopAsyncIteration:
            self._stirs = None
            return
        self.in_vain = self.in_vain + 1 if what else 0
        if self.in_vain > 2:
            await set_within(self._stop, VAIN_S)

    async def aclose(self) -> None:
        """Watch no more."""
        stirs, self._stirs = self._stirs, None
        if stirs is not None:
            await stirs.aclose()


def _stirs(folders: set[Path], stop: asyncio.Event) -> AsyncGenerator[object, None]:
    return awatch(
        *folders,
        watch_filter=None,
        debounce=DEBOUNCE_MS,
        step=50,
        stop_event=_Halt(stop),
        rust_timeout=int(POLL_S * 1000),
        yield_on_timeout=True,
        recursive=False,
    )
