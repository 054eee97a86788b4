"""`plan`: what a policy would do with a daily volume."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from relay.cli.context import DEFAULT_CONFIGS, ConfigOption, JsonOption, fail, load, print_json
from relay.core.plan import Plan, PlanDay, plan
from relay.core.wording import cap_text
from relay.settings.load import load_policy
from relay.settings.problems import ConfigProblems

BAR = 40
"""Width of the chart's longest bar, in characters."""


def _plan(
    policy: Annotated[str, typer.Argument(metavar="POLICY", help="A policy's name, or a file.")],
    volume: Annotated[
        str, typer.Option("--volume", metavar="N/day", help="Sends a day that the client wants.")
    ] = "1000/day",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show day by day what POLICY lets through of a daily volume."""
    try:
        chosen = load_policy(policy, _directories(config))
    except ConfigProblems as found:
        fail("\n".join(map(str, found.problems)))
    table = plan(chosen, [_volume(volume)], datetime.now(UTC).date())
    if json:
        print_json(_fields(table))
    else:
        _print(table)


def _directories(config: Path | None) -> tuple[Path, ...]:
    """Those of the config, where there is one: a plan needs no relay."""
    if config is None and not any(Path(name).exists() for name in DEFAULT_CONFIGS):
        return ()
    return load(config).policy_directories


def _volume(text: str) -> int:
    found = re.fullmatch(r"(\d+)(?:/day)?", text.replace(",", "").strip())
    if not found:
        raise typer.BadParameter(f"{text!r} is no volume; say for example 2000/day")
    return int(found[1])


def _fields(table: Plan) -> dict[str, object]:
    return {
        "policy": table.policy,
        "warmed_on": table.warmed_on and table.warmed_on.isoformat(),
        "backlog_clears_on": table.clears_on and table.clears_on.isoformat(),
        "expired": table.expired,
        "days": [
            {
                "day": row.day,
                "date": row.date.isoformat(),
                "cap": row.cap,
                "arrived": row.arrived,
                "sent": row.sent,
                "backlog": row.backlog,
                "expired": row.expired,
            }
            for row in table.days
        ],
    }


def _print(table: Plan) -> None:
    most = max((row.sent for row in table.days), default=0) or 1
    typer.echo("day  date               cap      sent   backlog   expired")
    for row in table.days:
        typer.echo(f"{_line(row)}  {'█' * round(BAR * row.sent / most)}")
    typer.echo(f"warmed: {table.warmed_on or 'not within two years'}")
    typer.echo(f"backlog clears: {table.clears_on or 'not within two years'}")
    if table.expired:
        typer.echo(f"{table.expired} would expire in the client's queue after five days")


def _line(row: PlanDay) -> str:
    return (
        f"{row.day:>3}  {row.date}  {cap_text(row.cap):>10}{row.sent:>10}"
        f"{row.backlog:>10}{row.expired:>10}"
    )


_plan.__name__ = "plan"
COMMANDS = (_plan,)
