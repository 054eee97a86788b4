"""`export` and `import`: the quota state of a store as JSON lines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, TextIO

import typer

from relay.app import open_tools
from relay.cli.context import ConfigOption, fail, load, run
from relay.core.config import Config
from relay.store.moves import FORMAT, BadRecord, NotEmpty, Record, exported, imported


def export_state(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Default: stdout.")] = None,
    config: ConfigOption = None,
) -> None:
    """Write the quota state of the store as JSON lines (for one instant, stop the relays)."""
    settings = load(config)
    if file is None:
        run(_export(settings, sys.stdout))
        return
    draft = file.with_name(f".{file.name}.draft")
    with draft.open("w", encoding="utf-8") as out:
        draft.chmod(0o600)
        count = run(_export(settings, out))
    draft.replace(file)
    typer.echo(f"{count} keys written to {file}", err=True)


async def _export(config: Config, out: TextIO) -> int:
    count = 0
    out.write(json.dumps({"format": FORMAT}) + "\n")
    async with open_tools(config) as tools:
        async for record in exported(tools.line):
            out.write(json.dumps(asdict(record)) + "\n")
            count += 1
    return count


def import_state(
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    config: ConfigOption = None,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite what is there.")] = False,
) -> None:
    """Read an export into the store; refused whole if it is not one, or the store has state."""
    settings = load(config)
    try:
        with file.open(encoding="utf-8") as lines:
            records = list(_records(file, lines))
        count = run(_import(settings, records, replace=replace))
    except (OSError, BadRecord, NotEmpty) as error:
        fail(f"{error}" + ("; --replace overwrites it" if isinstance(error, NotEmpty) else ""))
    typer.echo(f"{count} keys imported", err=True)


def _records(file: Path, lines: Iterator[str] | TextIO) -> Iterator[Record]:
    for number, text in enumerate(lines, 1):
        try:
            told = json.loads(text)
            if number > 1:
                yield _record(told)
            elif told != {"format": FORMAT}:
                raise BadRecord(f"not an export of this version ({FORMAT!r})")
        except (ValueError, TypeError, KeyError) as error:
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


async def _import(config: Config, records: list[Record], *, replace: bool) -> int:
    async with open_tools(config) as tools:
        return await imported(tools.line, records, replace=replace)


export_state.__name__ = "export"
import_state.__name__ = "import"
COMMANDS = (export_state, import_state)
