"""`plan`: what a policy would do with the mail of coming days."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from relay.cli.context import DEFAULT_CONFIGS, ConfigOption, JsonOption, fail, load, print_json
from relay.cli.sheet import BadSheet
from relay.cli.volumes import Volumes, parse_date, read_volumes
from relay.core.chart import chart
from relay.core.plan import QUEUE_DAYS, Plan, PlanDay, plan, sentences
from relay.core.ramp import Cap
from relay.core.wording import cap_text
from relay.settings.load import load_policy
from relay.settings.problems import ConfigProblems

BAR = 32
"""Width of the table's longest bar, in characters."""

MOST_VOLUME = 10**12
DEFAULT_VOLUME = "1000/day"

_EIGHTHS = " ▏▎▍▌▋▊▉"


def _plan(
    policy: Annotated[str, typer.Argument(metavar="POLICY", help="A policy's name, or a file.")],
    volume: Annotated[
        str | None,
        typer.Option(metavar="N/day", help=f"What the client wants; default {DEFAULT_VOLUME}."),
    ] = None,
    volumes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv", help="A volume, or date,volume, a line; nothing comes after it."
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Day 0: default the first date of FILE, else today."),
    ] = None,
    queue_days: Annotated[
        int, typer.Option(min=0, max=60, help="How long the client keeps what was deferred.")
    ] = QUEUE_DAYS,
    chart_file: Annotated[
        Path | None, typer.Option("--chart", metavar="FILE.svg", help="Draw it, too.")
    ] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show day by day what POLICY lets through of a daily volume.

    What is above the cap waits in the client's queue, oldest first.
    """
    wanted = _wanted(volume, volumes, _date(start))
    try:
        chosen = load_policy(policy, _directories(config))
    except ConfigProblems as found:
        fail("\n".join(map(str, found.problems)))
    table = plan(
        chosen, wanted.counts, wanted.start, goes_on=volumes is None, queue_days=queue_days
    )
    if json:
        print_json(_fields(table))
    else:
        _print(table)
    if chart_file:
        _draw(table, chart_file)


def _directories(config: Path | None) -> tuple[Path, ...]:
    """Those of the config, where there is one: a plan needs no relay."""
    if config is None and not any(Path(name).exists() for name in DEFAULT_CONFIGS):
        return ()
    return load(config).policy_directories


def _wanted(volume: str | None, file: Path | None, start: date | None) -> Volumes:
    today = datetime.now(UTC).date()
    if file is None:
        return Volumes(start or today, (_volume(volume or DEFAULT_VOLUME),))
    if volume is not None:
        raise typer.BadParameter("say --volume or --volumes, not both")
    try:
        return read_volumes(file, start, today)
    except BadSheet as wrong:
        fail(str(wrong))


def _date(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return parse_date(text)
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from None


def _volume(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,13})(?:/day)?", text.replace(",", "").strip())
    if not found or int(found[1]) > MOST_VOLUME:
        raise typer.BadParameter(f"{text!r} is no volume; say for example 2000/day")
    return int(found[1])


def _fields(table: Plan) -> dict[str, Any]:
    return {
        "policy": table.policy,
        "warmed_on": table.warmed_on and table.warmed_on.isoformat(),
        "backlog_clears_on": table.clears_on and table.clears_on.isoformat(),
        "arrived": table.arrived,
        "expired": table.expired,
        "queue_days": table.queue_days,
        "settled": table.settled,
        "says": sentences(table),
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
    names = "".join(f"{name:>13}" for name in ("cap", "arrived", "sent", "backlog", "expired"))
    lines = [f"day  date      {names}"]
    lines += [f"{_line(row)}  {_bar(row.sent, most)}".rstrip() for row in table.days]
    typer.echo("\n".join([*lines, "", *sentences(table)]))


def _line(row: PlanDay) -> str:
    counts = (f"{count:>13,}" for count in (row.arrived, row.sent, row.backlog, row.expired))
    return f"{row.day:>3}  {row.date}{_cap(row.cap):>13}{''.join(counts)}"


def _cap(cap: Cap) -> str:
    return cap_text(None) if cap is None else f"{cap:,}"


def _bar(count: int, most: int) -> str:
    """A bar to an eighth of a character; never nothing for something."""
    eighths = max(8 * BAR * count // most, 1 if count else 0)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _draw(table: Plan, path: Path) -> None:
    try:
        path.write_text(chart(table), encoding="utf-8")
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}")
    typer.echo(f"chart written to {path}", err=True)


_plan.__name__ = "plan"
COMMANDS = (_plan,)
