"""A plan as it is printed: the table, what it says in words, and the JSON object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from relay.core.plan.plan import Plan, PlanDay, ProviderDay
from relay.core.plan.sentences import sentences
from relay.core.policy.ramp import Cap
from relay.core.quota.wording import cap_text

BAR: Final = 32
"""Width of the table's longest bar, in characters."""

_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_COUNTS: Final = ("arrived", "sent", "backlog", "expired")


def plan_fields(plan: Plan) -> dict[str, Any]:
    """The JSON object; null stands for unlimited, and for what never comes."""
    return {
        "policy": plan.policy,
        "warmed_on": plan.warmed_on and plan.warmed_on.isoformat(),
        "backlog_clears_on": plan.clears_on and plan.clears_on.isoformat(),
        "arrived": plan.arrived,
        "expired": plan.expired,
        "queue_days": plan.queue_days,
        "settled": plan.settled,
        "says": sentences(plan),
        "providers": {name: _provider_fields(plan, name) for name in plan.providers},
        "days": [_day_fields(row) for row in plan.days],
    }


def _provider_fields(plan: Plan, name: str) -> dict[str, Any]:
    rows, clears_on = plan.of(name), plan.cleared(name)
    return {
        "backlog_clears_on": clears_on and clears_on.isoformat(),
        **{each: sum(getattr(row, each) for row in rows) for each in ("arrived", "sent")},
        "expired": sum(row.expired for row in rows),
    }


def _day_fields(row: PlanDay) -> dict[str, Any]:
    return {
        "day": row.day,
        "date": row.date.isoformat(),
        "cap": row.cap,
        "open": row.open,
        "day_off": row.is_off,
        **_counts(row),
        "providers": {each.provider: {"cap": each.cap, **_counts(each)} for each in row.providers},
    }


def _counts(row: PlanDay | ProviderDay) -> dict[str, int]:
    return {name: getattr(row, name) for name in _COUNTS}


def plan_text(plan: Plan) -> str:
    """The table, one of the providers where they are told apart, and the sentences."""
    tables = [[*_table(plan), ""], [*_by_provider(plan), ""] if plan.providers else []]
    return "\n".join([line for table in tables for line in table] + sentences(plan))


def _table(plan: Plan) -> Iterator[str]:
    """`open` is a column of its own where it is not the cap."""
    most = max(row.sent for row in plan.days) or 1
    shows_open = any(row.open != row.cap and not row.is_off for row in plan.days)
    names = ["cap", *(["open"] if shows_open else []), *_COUNTS]
    yield f"day  date      {''.join(f'{name:>13}' for name in names)}"
    for row in plan.days:
        cells = ["day off" if row.is_off else cap_cell(row.cap)]
        cells += [cap_cell(row.open)] if shows_open else []
        cells += [f"{count:,}" for count in _counts(row).values()]
        line = f"{row.day:>3}  {row.date}{''.join(f'{cell:>13}' for cell in cells)}"
        yield f"{line}  {_bar(row.sent, most)}".rstrip()


def _by_provider(plan: Plan) -> Iterator[str]:
    """Sent and waiting, a pair of columns a provider."""
    names = "".join(f"{name:>24}" for name in plan.providers)
    heads = "".join(f"{'sent':>12}{'backlog':>12}" for _ in plan.providers)
    yield f"               {names}"
    yield f"day  date      {heads}"
    for row in plan.days:
        cells = "".join(f"{each.sent:>12,}{each.backlog:>12,}" for each in row.providers)
        yield f"{row.day:>3}  {row.date}{cells}"


def cap_cell(cap: Cap) -> str:
    """A cap with its thousands apart."""
    return cap_text(None) if cap is None else f"{cap:,}"


def _bar(count: int, most: int) -> str:
    """A bar to an eighth of a character; never nothing for something."""
    eighths = max(8 * BAR * count // most, 1 if count else 0)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
