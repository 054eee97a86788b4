"""`backup` and `restore`: the quota state of a store as JSON lines, while relays run."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from relay.app import open_tools
from relay.cli.context import ConfigOption, fail, load, run
from relay.core.config import Config
from relay.core.wording import timestamp
from relay.store.moves import FORMAT, BadRecord, NotEmpty, Record, exported, imported


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup as it was read. `taken_at` is text for people."""

    taken_at: str
    records: tuple[Record, ...]


def backup(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Default: stdout.")] = None,
    config: ConfigOption = None,
) -> None:
    """Write the quota state of the store to a file; the relays may go on meanwhile."""
    settings = load(config)
    if file is None:
        run(_write(settings, sys.stdout))
        return
    draft = file.with_name(f".{file.name}.draft")
    try:
        with draft.open("w", encoding="utf-8") as out:
            draft.chmod(0o600)
            count = run(_write(settings, out))
            out.flush()
            os.fsync(out.fileno())
        draft.replace(file)
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}")
    finally:
        draft.unlink(missing_ok=True)
    typer.echo(f"{count} keys written to {file}", err=True)


async def _write(config: Config, out: TextIO) -> int:
    count = 0
    async with open_tools(config) as tools:
        taken_at = timestamp(tools.clock.now())
        out.write(json.dumps({"format": FORMAT, "taken_at": taken_at}) + "\n")
        async for record in exported(tools.line):
            out.write(json.dumps(asdict(record)) + "\n")
            count += 1
    out.write(json.dumps({"end": count}) + "\n")
    return count


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    config: ConfigOption = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Go back to it, though the store has state.")
    ] = False,
) -> None:
    """Read a backup into the store; refused whole if it is not one, or the store has state."""
    settings = load(config)
    try:
        with file.open(encoding="utf-8") as lines:
            found = _read(file, lines)
        count = run(_restore(settings, found, replace=replace))
    except (OSError, BadRecord, UnicodeDecodeError) as error:
        fail(f"{error}; nothing was changed")
    except NotEmpty as error:
        fail(f"{error}; --replace goes back to the backup all the same")
    typer.echo(f"{count} keys restored, as of {found.taken_at}", err=True)


def _read(file: Path, lines: TextIO) -> Backup:
    told = _numbered(file, lines)
    line, head = next(told, (1, None))
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        held = head.get("format") if isinstance(head, dict) else None
        raise BadRecord(f"{file}:{line}: not a backup of this version: {FORMAT!r}, not {held!r}")
    records: list[Record] = []
    for line, each in told:
        if isinstance(each, dict) and each.keys() == {"end"}:
            _check_end(f"{file}:{line}", each["end"], len(records), told)
            return Backup(str(head.get("taken_at", "an unknown time")), tuple(records))
        try:
            records.append(_record(each))
        except (ValueError, TypeError, KeyError) as error:
            raise BadRecord(f"{file}:{line}: {error}") from error
    raise BadRecord(f"{file}:{line}: its end is missing: it was cut short")


def _check_end(place: str, wanted: object, count: int, rest: Iterator[object]) -> None:
    if wanted != count:
        raise BadRecord(f"{place}: {count} keys, but there were {wanted}: some are missing")
    if next(rest, None) is not None:
        raise BadRecord(f"{place}: there is more after its end")


def _numbered(file: Path, lines: TextIO) -> Iterator[tuple[int, Any]]:
    for number, text in enumerate(lines, 1):
        try:
            yield number, json.loads(text)
        except ValueError as error:
            raise BadRecord(f"{file}:{number}: {error}") from error


def _record(told: dict[str, object]) -> Record:
    value = told["value"]
    if not isinstance(value, dict):
        raise BadRecord("value is no mapping")
    texts = {str(name): str(each) for name, each in value.items()}
    ttl_ms = told["ttl_ms"]
    if not isinstance(ttl_ms, int):
        raise BadRecord("ttl_ms is no whole number")
    return Record(str(told["key"]), str(told["kind"]), texts, ttl_ms)


async def _restore(config: Config, found: Backup, *, replace: bool) -> int:
    async with open_tools(config) as tools:
        return await imported(tools.line, found.records, replace=replace)


COMMANDS = (backup, restore)
ALIASES: dict[str, Callable[..., None]] = {"export": backup, "import": restore}
"""Other names that work too; `--help` does not list them."""
