"""The config in force, and how a new one takes its place.

A bad edit is refused whole and the old config stays (rule 6); what only a restart can
change keeps its old value. Who wants to know of a new config subscribes. Domains that were
added while the relay runs come from elsewhere (`add_domains`) and join those of the file.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from relay.concurrency.waiting import set_within
from relay.core.config import Config
from relay.core.sources import Sources
from relay.core.tenants.added import AddedDomain, Offer, joined
from relay.core.tenants.tenancy import Directory
from relay.settings.apart.reader import NICE, ApartReader, let_go, parts_of
from relay.settings.findings import START
from relay.settings.loaded import Loaded, Reader
from relay.settings.prints import UNKNOWN, Print
from relay.settings.problems import ConfigProblems, Problem
from relay.settings.watching import Watched, changes

Subscriber = Callable[[Config], None]

_NEEDS_RESTART: Final = (
    "hostname",
    "store",
    "data_dir",
    "listeners",
    "web",
    "workers",
    "secrets",
    "nameservers",
    "limits",
    "log",
)
_RETRY_S: Final = 5.0
_REST: Final = 10
"""How much longer than a reading it is at least to the next one of files that are refused."""
_log = structlog.get_logger(__name__)


class LiveSettings:
    """Implements `ports.Settings`. To be used from one thread, the event loop's.

    `failed`: the last reload was refused, so the file on disk is not what is in force.
    """

    def __init__(
        self,
        config: Config,
        env: Mapping[str, str],
        reader: Reader | None = None,
        seen: Print = UNKNOWN,
        *,
        is_loud: bool = True,
    ) -> None:
        """`reader` reads from now on (else a process apart); `seen` is of `config`'s reading.

        Of several processes of a relay, which all read the same, one `is_loud`: it tells of
        what is refused.
        """
        self._base = config
        self._config = config
        self._added: Mapping[str, AddedDomain] = {}
        self._is_whole = True
        self._flaws: Mapping[str, str] = {}
        self._reader = reader or ApartReader()
        self._seen = seen
        self._env = env
        self._is_loud = is_loud
        self._asked: tuple[Path, ...] = config.files
        self._subscribers: list[Subscriber] = []
        self._turn = asyncio.Lock()
        self._calls = self._served = 0
        self._took_s = 0.0
        self.failed = False
        self.problems: tuple[Problem, ...] = ()

    @classmethod
    def of(cls, path: Path, env: Mapping[str, str], reader: Reader | None = None) -> LiveSettings:
        """The settings in the file `path`, without `config.sources`.

        Raises ConfigProblems; with a reader that reads apart ReadingFailed too.
        """
        reader = reader or ApartReader()
        loaded = reader.read(path, env)
        return cls(replace(loaded.config, sources=Sources()), env, reader, loaded.seen)

    @property
    def config(self) -> Config:
        """The config in force, with added domains; replaced whole, never changed."""
        return self._config

    @property
    def base(self) -> Config:
        """The config as the files have it, without added domains."""
        return self._base

    @property
    def added(self) -> Mapping[str, AddedDomain]:
        """The added domains as they were last read, by name; also those that are withheld."""
        return self._added

    @property
    def flaws(self) -> Mapping[str, str]:
        """Why some of them are not in force, for people, by name."""
        return self._flaws

    @property
    def directory(self) -> Directory:
        """Tenants, domains, routes and policies in force."""
        return self._config.directory

    @property
    def seen(self) -> Print:
        """The files as they were read for the config in force; UNKNOWN if they are refused."""
        return UNKNOWN if self.failed else self._seen

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call `subscriber` with every new config from now on; what it raises is logged."""
        self._subscribers.append(subscriber)

    def await_domains(self) -> None:
        """Until `add_domains` is called, a domain that is not in the files may be an added one."""
        self._is_whole = False
        self._join()

    def add_domains(self, added: Mapping[str, AddedDomain]) -> None:
        """From now on these are all that were added. Those of the files win."""
        self._added, self._is_whole = added, True
        self._join()

    def reload(self) -> list[Problem]:
        """Read the files again. Blocks while it reads; in a running relay use `refresh`.

        The problems of a refused edit (then `failed` is True and nothing has changed), or
        notes (`is_note`) about what waits for a restart. Raises nothing.
        """
        return self._apply(self._read())

    async def refresh(self, now: Print | None = None) -> list[Problem]:
        """`reload`, reading in a thread. A cancelled call changes nothing.

        Where the files are as `now`, and somebody has read them so meanwhile, nothing is done.
        Nor where a reading began after the call: it is that of all who waited for their turn.
        """
        self._calls += 1
        mine = self._calls
        async with self._turn:
            if now is not None and now == self._seen:
                return []
            if self._served >= mine:
                return list(self.problems)
            before, begun = parts_of(self._config), self._calls
            told = self._apply(await self._read_aside())
            self._served = begun
            await asyncio.to_thread(let_go, before)
            return told

    async def watch(self, stop: asyncio.Event) -> None:
        """Refresh whenever a file changes, until `stop` is set. Ends with nothing else.

        Files that have changed since they were loaded are read at once.
        """
        while not stop.is_set():
            try:
                async for now in changes(self._watched, lambda: self._seen, stop):
                    await self.refresh(now)
            except Exception:  # noqa: BLE001 - without it, edits would be ignored for ever
                _log.exception("settings.watch_failed", retry_s=_RETRY_S)
                await set_within(stop, _RETRY_S)

    def _watched(self) -> Watched:
        files = (*self._config.files, *self._asked)
        # What kept them from being read may be gone without an edit: a lack of descriptors.
        turn = _turn_now(self._took_s) if self.failed else 0
        return Watched(files, self._config.policy_directories, turn)

    async def _read_aside(self) -> Loaded | ConfigProblems:
        begun_s = time.monotonic()
        read = await asyncio.to_thread(self._read)
        self._took_s = time.monotonic() - begun_s
        return read

    def _read(self) -> Loaded | ConfigProblems:
        try:
            return self._reader.read(self._config.path, self._env, nice=NICE)
        except ConfigProblems as problems:
            return problems
        except Exception as error:  # noqa: BLE001 - rule 6: the old config stays
            _log.exception("settings.load_failed")
            text = f"the config cannot be read: {type(error).__name__}"
            return ConfigProblems([Problem(str(self._config.path), *START, text)])

    def _apply(self, read: Loaded | ConfigProblems) -> list[Problem]:
        if isinstance(read, ConfigProblems):
            return self._refuse(read)
        self._asked, self._seen = read.config.files, read.seen
        notes = _notes(self._config, read)
        kept = {key: getattr(self._config, key) for key in _NEEDS_RESTART}
        self.failed, self.problems = False, tuple(notes)
        self._put_in_force(replace(read.config, sources=Sources(), **kept))
        for note in notes:
            _log.warning("settings.restart_needed", problem=str(note))
        return notes

    def _refuse(self, problems: ConfigProblems) -> list[Problem]:
        is_known = self.failed and self.problems == problems.problems
        self.failed, self.problems = True, problems.problems
        self._asked, self._seen = problems.files, problems.seen
        if not is_known:
            told = [str(each) for each in problems.problems]
            tell = _log.error if self._is_loud else _log.debug
            tell("settings.reload_refused", problems=told)
        return list(problems.problems)

    def _join(self) -> None:
        base = self._base
        offer = Offer(frozenset(base.upstreams), base.policies)
        found = joined(base.directory, self._added.values(), offer)
        directory = replace(found.directory, is_whole=self._is_whole)
        self._config = replace(base, directory=directory)
        news = {name: why for name, why in found.flaws.items() if self._flaws.get(name) != why}
        self._flaws = found.flaws
        for name, why in news.items():
            _log.warning("settings.domain_left_out", domain=name, why=why)

    def _put_in_force(self, config: Config) -> None:
        if config == self._base:
            return
        self._base = config
        self._join()
        _log.info("settings.reloaded", path=str(config.path))
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(self._config)
            except Exception:  # noqa: BLE001 - the others must hear of it too
                _log.exception("settings.subscriber_failed")


def _turn_now(took_s: float) -> int:
    """The number of the turn that it is, where a reading takes `took_s`.

    The length of a turn goes by doubling: a reading somewhat slower than the one before it would
    else be a turn of its own.
    """
    every_s = _RETRY_S
    while every_s < _REST * took_s:
        every_s *= 2
    return int(time.monotonic() / every_s)


def _notes(old: Config, read: Loaded) -> list[Problem]:
    changed = [key for key in _NEEDS_RESTART if getattr(old, key) != getattr(read.config, key)]
    return [
        Problem(
            str(old.path),
            *read.places.get(key, START),
            f"{key} changed; the old value is in force",
            "restart the relay",
            is_note=True,
        )
        for key in changed
    ]
