"""`plan`: what a policy would do with the mail of coming days, or does from today on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from relay.cli.context import ConfigOption, JsonOption, fail, print_json
from relay.cli.drawing import CannotDraw, draw, kind_of
from relay.cli.plan_table import plan_fields, plan_text
from relay.cli.planned import DEFAULT_VOLUME, Asked, Planned, planned
from relay.core.plan.chart_style import Theme
from relay.core.plan.mix import mix_shares
from relay.core.plan.plan import QUEUE_DAYS, plan_from
from relay.core.plan.sentences import assumed
from relay.core.policy.policy import MailClass
from relay.core.policy.window import Rolling24h

WhatArgument = Annotated[
    str,
    typer.Argument(
        metavar="POLICY|ID", help="A policy's name or file; or a domain, from where it stands."
    ),
]
VolumeOption = Annotated[
    str | None,
    typer.Option(metavar="N/day", help=f"What the client wants; default {DEFAULT_VOLUME}."),
]
VolumesOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.csv",
        help="A line a day, a date before it or not: a volume, or a column a provider; "
        "nothing comes after it.",
    ),
]
MixOption = Annotated[
    str | None,
    typer.Option(metavar="NAME=N%,…", help="Whose mailboxes it goes to; the rest is other."),
]
ClassOption = Annotated[
    MailClass, typer.Option("--class", help="The class of the mail, for headroom.")
]
StartOption = Annotated[
    str | None,
    typer.Option(metavar="DATE", help="Day 0: default the first date of FILE, else today."),
]
QueueOption = Annotated[
    int, typer.Option(min=0, max=60, help="How long the client keeps what was deferred.")
]
ChartOption = Annotated[
    Path | None,
    typer.Option("--chart", metavar="FILE", help="Draw it, too: FILE.svg or FILE.png."),
]
ThemeOption = Annotated[
    Theme, typer.Option(help="Of the chart; auto follows the reader, a PNG is light.")
]


def _plan(  # noqa: PLR0913, PLR0917 - an argument is an option
    what: WhatArgument,
    volume: VolumeOption = None,
    volumes: VolumesOption = None,
    mix: MixOption = None,
    mail_class: ClassOption = MailClass.MARKETING,
    start: StartOption = None,
    queue_days: QueueOption = QUEUE_DAYS,
    chart_file: ChartOption = None,
    theme: ThemeOption = Theme.AUTO,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show day by day what POLICY lets through of a daily volume.

    Or what the route ID does from today on. What is above the cap waits in the client's queue,
    oldest first.
    """
    try:
        kind = kind_of(chart_file) if chart_file else None
        begun = planned(what, Asked(volume, volumes, mix, start), config)
        goes_on = volumes is None
        table = plan_from(
            begun.course, begun.mail, goes_on=goes_on, queue_days=queue_days, mail_class=mail_class
        )
        if json:
            print_json({**_asked_fields(begun, mail_class), **plan_fields(table)})
        else:
            typer.echo("\n".join([plan_text(table), *_notes(begun)]))
        if chart_file and kind:
            draw(table, chart_file, kind, theme)
            typer.echo(f"chart written to {chart_file}", err=True)
    except CannotDraw as wrong:
        fail(str(wrong))


def _asked_fields(begun: Planned, mail_class: MailClass) -> dict[str, object]:
    return {
        "id": begun.id,
        "class": mail_class.value,
        "mix": None if begun.mix is None else mix_shares(begun.mix),
        "mix_is_assumed": begun.is_assumed,
        "notes": list(_notes(begun)),
    }


def _notes(begun: Planned) -> Iterator[str]:
    """What the numbers take for granted."""
    if begun.mix is not None and begun.is_assumed:
        yield f"{assumed(begun.mix)}; say --mix to change it."
    if begun.was_paused:
        yield "The route is paused; planned as if it was resumed today."
    if isinstance(begun.course.policy.window, Rolling24h):
        yield "The rolling window is planned by whole days; it may let up to 1 % less through."


_plan.__name__ = "plan"
COMMANDS = (_plan,)
