"""A large relay.yaml read in pieces of about a hundred domains, each of them once.

A piece that somebody has read before (`kept.py`) is not read again, so an edit of one domain costs
a piece and not 100,000 domains, and of several processes that read the same edit one does the
work. The result is that of `load.py`, as frames; where anything is wrong or unusual there is none,
and `load.py` reads the file and tells.
"""

from __future__ import annotations

import json
import pickle
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from os.path import abspath
from pathlib import Path
from typing import Final

from relay.core.config import Config
from relay.core.policy.policy import EXEMPT
from relay.core.sources import Sources
from relay.core.tenants.tenancy import Directory
from relay.settings.apart.frames import Head, Row
from relay.settings.findings import Findings, Position
from relay.settings.large.cuts import Cut, cut_out, stand_in
from relay.settings.large.kept import Kept, code_mark
from relay.settings.large.many_hands import done_by_many
from relay.settings.large.pieces import Parts, Surroundings, frame_of, is_lasting, is_wrong, mark_of
from relay.settings.load import loaded_from
from relay.settings.loaded import Loaded
from relay.settings.prints import Print, Stat, noting_reads, print_of
from relay.settings.problems import ConfigProblems, Wrong
from relay.settings.yaml.brackets import Irregular
from relay.settings.yaml.builder import may_be_too_much
from relay.settings.yaml.document import Document
from relay.settings.yaml.files import LARGE_BYTES, MAX_BYTES, first_unprintable, read_text
from relay.settings.yaml.json_text import in_lines
from relay.settings.yaml.regular import read_regular
from relay.thrift.collector import collector_at_rest

_BEFORE: Final = ("\n", ",", "[", "{", ":", "- ")
"""What stands in front of a value."""

WORTH_KEEPING: Final = 3
"""Pieces that have to be read before it is worth a turn, and a file."""


def frames_in_pieces(
    path: Path, env: Mapping[str, str], *, keeps: bool = True
) -> list[bytes] | None:
    """What `frames.as_frames` makes of the config in `path`; None where `load` has to read it.

    Without `keeps` what was kept is taken, and nothing is kept.
    """
    here = Path(abspath(path))  # noqa: PTH100 - resolve() would follow links
    with collector_at_rest(), noting_reads() as stats:
        try:
            text = read_text(here, MAX_BYTES)
            if len(text) < LARGE_BYTES:
                return None
            text, root_keys = in_lines(text) or (text, None)
            cut = None if may_be_too_much(text, _BEFORE) else cut_out(text)
            reading = cut and _Reading(here, env, cut, root_keys, keeps=keeps)
            return reading.frames(stats) if reading else None
        except (Irregular, Wrong, ConfigProblems):
            return None


class _Reading:
    """Of one file, once."""

    def __init__(
        self,
        here: Path,
        env: Mapping[str, str],
        cut: Cut,
        root_keys: Mapping[str, Position] | None,
        *,
        keeps: bool,
    ) -> None:
        self._keeps = keeps
        self._here = here
        self._env = env
        self._cut = cut
        self._root_keys = root_keys
        self._tenants: dict[str, str] = {}

    def frames(self, stats: list[Stat]) -> list[bytes]:
        """Head and domains. Raises Irregular and ConfigProblems."""
        loaded = self._rest()
        frames = self._read(loaded.config)
        rows = [row for frame in frames for row in json.loads(frame)]
        check_together(rows)
        return [pickle.dumps(_head(loaded, rows, print_of(stats))), *frames]

    def _rest(self) -> Loaded:
        """The config without the domains that were cut out; `_tenants` are those that have them."""
        rest = self._cut.rest
        read = None if first_unprintable(rest) else read_regular(rest, self._env)
        if read is None:
            raise Irregular
        data, places = read
        self._empty(data.get("tenants"))
        places = {key: (self._cut.line(line), column) for key, (line, column) in places.items()}
        document = Document(str(self._here), data, is_wrong, self._root_keys or places)
        return loaded_from(self._here, document, Findings(str(self._here)))

    def _empty(self, tenants: object) -> None:
        for name, tenant in tenants.items() if isinstance(tenants, dict) else ():
            domains = tenant.get("domains") if isinstance(tenant, dict) else None
            if isinstance(domains, str):
                self._tenants[domains] = name
                tenant["domains"] = {}
            elif domains:
                raise Irregular
        if [*self._tenants] != [stand_in(block) for block in range(len(self._cut.gaps))]:
            raise Irregular

    def _read(self, config: Config) -> list[bytes]:
        """The frame of each piece: as it was kept, or read now and kept for others."""
        policies = {**config.policies, EXEMPT.name: EXEMPT}
        around = Surroundings(self._here.parent, config.upstreams.keys(), policies)
        pieces = self._pieces(around.mark(code_mark()))
        lasting = {mark for mark, piece in pieces.items() if is_lasting(piece)}
        kept = Kept(config.data_dir)
        held = kept.read()
        if not self._keeps or len(lasting - held.keys()) < WORTH_KEEPING:
            return [*self._found(pieces, held, around).values()]
        with kept.turn():
            held = kept.read()
            found = self._found(pieces, held, around)
            if lasting - held.keys():
                kept.write({mark: found[mark] for mark in found if mark in lasting})
        return [*found.values()]

    def _found(
        self, pieces: Mapping[bytes, Parts], held: Mapping[bytes, bytes], around: Surroundings
    ) -> dict[bytes, bytes]:
        missing = {mark: piece for mark, piece in pieces.items() if mark not in held}
        read = done_by_many(lambda piece: frame_of(piece, around, self._env), [*missing.values()])
        made = dict(zip(missing, read, strict=True))
        return {mark: made.get(mark) or held[mark] for mark in pieces}

    def _pieces(self, around: bytes) -> dict[bytes, Parts]:
        """By their marks, in order."""
        named = [
            [(self._tenants[stand_in(block)], text) for block, text in piece]
            for piece in self._cut.pieces
        ]
        pieces: dict[bytes, Parts] = {mark_of(around, piece): piece for piece in named}
        if len(pieces) != len(named):  # twice the same domains
            raise Irregular
        return pieces


def check_together(rows: list[Row]) -> None:
    """What no piece can see by itself: that a domain is one tenant's, once. Raises Irregular."""
    owners = {name: tenant for name, tenant, *_ in rows}
    if len(owners) != len(rows):
        raise Irregular
    for _, tenant, envelope_domains, *_ in rows:
        if any(owners.get(each, tenant) != tenant for each in envelope_domains):
            raise Irregular


def _head(loaded: Loaded, rows: list[Row], seen: Print) -> Head:
    config = loaded.config
    counts = Counter(tenant for _, tenant, *_ in rows)
    tenants = tuple((tenant, counts[name]) for name, tenant in config.directory.tenants.items())
    used = dict.fromkeys(policy for *_, routes in rows for _, policy in routes)
    known = {**config.policies, EXEMPT.name: EXEMPT}
    bare = replace(config, directory=Directory(), sources=Sources())
    return Head(bare, loaded.places, tenants, tuple(known[name] for name in used), seen)
