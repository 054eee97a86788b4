"""`backup` and `restore`: the quota state of a store as JSON lines, while relays run."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Annotated, Final

import typer

from relay.cli.backup_file import BackupFile, opened
from relay.cli.context import ConfigOption, fail, load, run
from relay.cli.tools import open_tools
from relay.core.config import Config
from relay.core.quota.wording import timestamp
from relay.store.moves import FORMAT, BadRecord, NotEmpty, Unfinished, exported, imported

_STANDARD: Final = Path("-")
"""Not a file of that name: standard output or input, as with other commands."""


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A hyphen is stdout.")] = _STANDARD,
    config: ConfigOption = None,
) -> None:
    """Write the quota state of the store to a file; the relays may go on meanwhile."""
    settings = load(config)
    if file == _STANDARD:
        run(_write(settings, sys.stdout))
        return
    try:
        count = _put_down(settings, file)
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}")
    typer.echo(f"{count} keys written to {file}", err=True)


def _put_down(config: Config, file: Path) -> int:
    """All of it or nothing, with a draft that no other backup writes to. Raises OSError.

    What is there and no file (a pipe, `/dev/stdout`) is written to, and not replaced.
    """
    if file.exists() and not file.is_file():
        with file.open("w", encoding="utf-8") as out:
            return run(_write(config, out))
    draft = NamedTemporaryFile(  # noqa: SIM115 - closed below, before it is renamed
        "w", encoding="utf-8", dir=file.parent, prefix=".backup-", delete=False
    )
    try:
        with draft:
            count = run(_write(config, draft.file))
            draft.flush()
            os.fsync(draft.fileno())
        Path(draft.name).replace(file)
    except BaseException:
        Path(draft.name).unlink(missing_ok=True)
        raise
    return count


async def _write(config: Config, out: IO[str]) -> int:
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
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A hyphen is stdin.")],
    config: ConfigOption = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Go back to it, though the store has state.")
    ] = False,
) -> None:
    """Read a backup into the store; refused whole if it is not one, or the store has state."""
    settings = load(config)
    try:
        with opened(Path("/dev/stdin") if file == _STANDARD else file) as found:
            count = run(_restore(settings, found, replace=replace))
            taken_at = found.taken_at
    except NotEmpty as error:
        fail(f"{error}; --replace goes back to the backup all the same")
    except UnicodeDecodeError:
        fail(f"{file} is not a backup: it is not UTF-8 text; nothing was changed")
    except (OSError, BadRecord) as error:
        fail(f"{error}; nothing was changed")
    except Unfinished as error:
        fail(f"{error}; some of it was restored: do it again, with --replace")
    typer.echo(f"{count} keys restored, as of {taken_at}", err=True)


async def _restore(config: Config, found: BackupFile, *, replace: bool) -> int:
    async with open_tools(config) as tools:
        return await imported(tools.line, found, replace=replace)


COMMANDS = (backup, restore)
ALIASES: dict[str, Callable[..., None]] = {"export": backup, "import": restore}
"""Other names that work too; `--help` does not list them."""
