"""What a plan is made of: where the route starts, and the mail that is wanted of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import typer

from relay.cli.context import completed, fail, find_route, has_route, load, load_near, run
from relay.cli.mail_mix import parse_mix
from relay.cli.plain import DEFAULT_CONFIGS
from relay.cli.sheet import BadSheet
from relay.cli.tools import open_tools
from relay.cli.volumes import Volumes, parse_date, read_volumes
from relay.core.config import Config
from relay.core.plan.mix import Mail, Mix, mix_for, mixed
from relay.core.policy.policy import Policy
from relay.core.providers import OTHER
from relay.core.quota.course import Course, from_foot, from_standing
from relay.core.tenants.tenancy import Route
from relay.settings.load import load_policy, provider_names
from relay.settings.problems import ConfigProblems, Wrong

MOST_VOLUME: Final = 10**12
DEFAULT_VOLUME: Final = "1000/day"


@dataclass(frozen=True, slots=True)
class Asked:
    """The options that say what mail is wanted, as they were written."""

    volume: str | None
    volumes: Path | None
    mix: str | None
    start: str | None


@dataclass(frozen=True, slots=True)
class Planned:
    """Where it starts and what comes. `id` is the route, where it is one.

    `mix` is how each volume is divided, None where nothing depends on it or the file says so;
    `is_assumed`: nobody asked for that mix.
    """

    course: Course
    mail: tuple[int | Mail, ...]
    id: str | None
    mix: Mix | None
    is_assumed: bool
    was_paused: bool = False


def planned(what: str, asked: Asked, config: Path | None) -> Planned:
    """What `plan WHAT` is about. Exits with 1 or 2 where that cannot be."""
    settings = _settings(config, what)
    known = provider_names(settings.policy_directories if settings else ())
    start = _date(asked.start)
    route = _route(what, settings)
    if route is None or settings is None:
        chosen = _policy(what, settings)
        today = chosen.window.at(datetime.now(UTC)).date
        wanted = _wanted(asked, start, today, known)
        made = Planned(from_foot(chosen, wanted.start), wanted.counts, None, None, is_assumed=False)
        return _divided(made, asked, known)
    if start is not None:
        raise typer.BadParameter("the plan of a route begins today: leave --start out")
    course, was_paused = run(_stands(settings, route))
    today = course.window.date
    wanted = _wanted(asked, today, today, known)
    name = str(route.id)
    made = Planned(course, wanted.counts, name, None, is_assumed=False, was_paused=was_paused)
    return _divided(made, asked, known)


def _settings(config: Path | None, what: str) -> Config | None:
    """The config, where there is one: the plan of a policy needs no relay."""
    if config is None and not any(Path(name).exists() for name in DEFAULT_CONFIGS):
        return None
    if not _may_be_route(what):
        return load(config)
    found = load_near(config, what)
    return found if what in found.policies else completed(found, what)


def _may_be_route(what: str) -> bool:
    is_file = "/" in what or what.endswith((".yaml", ".yml"))
    return not is_file and ("." in what or "@" in what)


def _route(what: str, settings: Config | None) -> Route | None:
    """The route called `what`; None where it is the name or the file of a policy."""
    if settings is None or not _may_be_route(what):
        return None
    if what in settings.policies and not has_route(settings, what):
        return None
    return find_route(settings, what)


def _policy(what: str, settings: Config | None) -> Policy:
    try:
        return load_policy(what, settings.policy_directories if settings else ())
    except ConfigProblems as found:
        fail("\n".join(map(str, found.problems)))


async def _stands(settings: Config, route: Route) -> tuple[Course, bool]:
    async with open_tools(settings) as tools:
        now = tools.clock.now()
        window = route.policy.window.at(now)
        standing = await tools.store.standing(route, window)
        return from_standing(route, window, standing, now), standing.paused_at is not None


def _wanted(asked: Asked, start: date | None, today: date, known: frozenset[str]) -> Volumes:
    if asked.volumes is None:
        return Volumes(start or today, (_volume(asked.volume or DEFAULT_VOLUME),))
    if asked.volume is not None:
        raise typer.BadParameter("say --volume or --volumes, not both")
    try:
        return read_volumes(asked.volumes, start, today, known)
    except BadSheet as wrong:
        fail(str(wrong))


def _divided(made: Planned, asked: Asked, known: frozenset[str]) -> Planned:
    """With the volumes by provider, where walls or the user tell providers apart."""
    by_provider = [each for each in made.mail if not isinstance(each, int)]
    if by_provider:
        if asked.mix is not None:
            raise typer.BadParameter("the file has a column a provider: leave --mix out")
        return made
    mix = mix_for(made.course.policy, _mix(asked.mix, known))
    counts = [each for each in made.mail if isinstance(each, int)]
    return replace(
        made,
        mail=tuple(mixed(counts, mix)),
        mix=mix,
        is_assumed=mix is not None and asked.mix is None,
    )


def _mix(text: str | None, known: frozenset[str]) -> Mix | None:
    try:
        return None if text is None else parse_mix(text, known | {OTHER})
    except Wrong as wrong:
        hint = f" ({wrong.hint})" if wrong.hint else ""
        raise typer.BadParameter(f"--mix: {wrong.text}{hint}") from None


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
