"""`domains reseal`: the keys of added domains under another secret."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from relay.cli.context import (
    ConfigOption,
    JsonOption,
    ReasonOption,
    actor,
    fail,
    load,
    print_json,
    run,
)
from relay.cli.tools import open_tools
from relay.core.config import Config
from relay.domains.resealing import Outcome, Resealing
from relay.ports.domains import By
from relay.signing.sealing import NoSealingKey, Vault
from relay.store.shelves.audit_log import RedisAuditLog
from relay.store.shelves.domains import RedisDomainShelf
from relay.telemetry.logs import set_up_logs


def reseal(
    old: Annotated[Path, typer.Option("--old", help="The file with the secret so far.")],
    new: Annotated[
        Path | None,
        typer.Option("--new", help="The file with the new one; default: that of the config."),
    ] = None,
    reason: ReasonOption = "",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Encrypt the DKIM keys of added domains anew, with another secret; may be run again."""
    settings = load(config)
    set_up_logs(replace(settings.log, level="error"))
    vaults = (Vault(old, makes=False), Vault(new or settings.sealing_file, makes=False))
    try:
        found = run(_resealed(settings, vaults, By(actor(), None, reason)))
    except NoSealingKey as error:
        fail(str(error))
    _tell(found, json=json)
    raise typer.Exit(1 if found.wrong else 0)


async def _resealed(settings: Config, vaults: tuple[Vault, Vault], by: By) -> Outcome:
    async with open_tools(settings) as tools:
        shelf, audit = RedisDomainShelf(tools.line), RedisAuditLog(tools.line)
        found = await Resealing(shelf, audit, tools.clock, *vaults).run(by)
        await tools.on_disk()
        return found


def _tell(found: Outcome, *, json: bool) -> None:
    if json:
        told = {"resealed": found.changed, "current": found.current, "wrong": found.wrong}
        print_json(told)
        return
    typer.echo(f"{found.changed} domains sealed anew; {found.current} were so already")
    for name, why in found.wrong.items():
        typer.echo(f"{name}: {why}", err=True)
