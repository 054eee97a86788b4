"""A config is read by a process of its own, so that serving never waits for it.

Reading a large one takes seconds of a core and 400 MB, reading any one a schema and a parser
of some 15 MB; all that ends with the process. Its result comes in
small pieces, and what has not changed is kept. Run it in a thread beside the loop.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from threading import Timer
from typing import Final

import relay
from relay.concurrency.beside import short_turns
from relay.core.config import Config
from relay.core.policy.policy import Policy
from relay.core.tenants.tenancy import Directory, SendingDomain, Tenant, directory_of
from relay.settings.apart.frames import Head, domains_of, policies_by_name, read_frame
from relay.settings.loaded import Loaded
from relay.settings.problems import ConfigProblems
from relay.thrift.collector import collector_at_rest, keep_out_of_collections

READ_S: Final = 120.0
"""How long the reading process may take."""

_PAUSE_S: Final = 0.0005

_PIECE: Final = 500

NICE: Final = 5
"""Reading while others serve comes after them."""

Held = dict[bytes, tuple[SendingDomain, ...]]


class ReadingFailed(Exception):
    """The reading process did not say anything, or not all."""


class ApartReader:
    """Implements `loaded.Reader`; shares what stays the same between one config and the next."""

    def __init__(self) -> None:
        self._held: Held = {}
        self._marks: list[bytes] = []
        self._directory = Directory()
        self._policies: dict[str, Policy] = {}

    def read(self, path: Path, env: Mapping[str, str], *, nice: int = 0) -> Loaded:
        """See `loaded.Reader`. Raises ReadingFailed too, after READ_S at most."""
        with _frames(path, env, nice) as frames:
            return self.take(frames)

    def take(self, frames: Iterator[bytes]) -> Loaded:
        """What `frames` say, of our own parent or child. Raises ReadingFailed, ConfigProblems."""
        first = next(frames, None)
        if first is None:
            raise ReadingFailed
        head = pickle.loads(first)  # noqa: S301 - as above  # nosec B301
        if not isinstance(head, Head):
            raise ConfigProblems(*head)
        with collector_at_rest(), short_turns():
            config = self._config(head, frames)
            keep_out_of_collections()
        return Loaded(config, head.places, head.seen)

    def _config(self, head: Head, frames: Iterator[bytes]) -> Config:
        policies = policies_by_name(head)
        if policies != self._policies:
            self._held, self._marks, self._policies = {}, [], policies
        held: Held = {}
        domains: list[SendingDomain] = []
        for frame in frames:
            mark = blake2b(frame, digest_size=16).digest()
            held[mark] = self._held.get(mark) or domains_of(frame, self._policies)
            domains += held[mark]
        if len(domains) != sum(count for _, count in head.tenants):
            raise ReadingFailed
        marks = [pickle.dumps(head.tenants), *held]
        if marks != self._marks:
            self._directory = _directory(head, domains)
        self._held, self._marks = held, marks
        return replace(head.config, directory=self._directory)


def _directory(head: Head, domains: list[SendingDomain]) -> Directory:
    tenants: list[Tenant] = []
    at = 0
    for tenant, count in head.tenants:
        tenants.append(replace(tenant, domains=tuple(domains[at : at + count])))
        at += count
    return directory_of(tenants)


def let_go(parts: list[object]) -> None:
    """Take `parts` of a config, which nobody needs any more, down bit by bit: for a thread.

    All at once it would hold the interpreter for a tenth of a second.
    """
    while parts:
        del parts[-_PIECE:]
        time.sleep(_PAUSE_S)


def parts_of(config: Config) -> list[object]:
    """What most of `config` consists of: for `let_go`, when nothing else refers to it."""
    senders = config.directory.senders.values()
    return [*config.directory.domains.values(), *chain(*(each.values() for each in senders))]


@contextmanager
def _frames(path: Path, env: Mapping[str, str], nice: int) -> Iterator[Iterator[bytes]]:
    command = [sys.executable, "-P", "-m", "relay.settings.apart", str(path), str(nice)]
    with subprocess.Popen(  # noqa: S603  # our own module, and a path
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=_environment(env),
        start_new_session=True,  # a terminal's Ctrl-C is for the relay
    ) as process:
        limit = Timer(READ_S, process.kill)
        limit.start()
        try:
            yield _all_of(process)
        finally:
            limit.cancel()
            process.kill()


def _all_of(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    assert process.stdout is not None
    try:
        while (frame := read_frame(process.stdout)) is not None:
            yield frame
    except EOFError:
        raise ReadingFailed from None


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    """`env` for `${NAME}`, and this package wherever we were started."""
    root = str(Path(relay.__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [root, env.get("PYTHONPATH")]))
    return {**env, "PYTHONPATH": path}
