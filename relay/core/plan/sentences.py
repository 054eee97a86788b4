"""A plan in sentences: warmed when, cleared when, and what would be lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from relay.core.plan.mix import Mix, mix_shares
from relay.core.plan.plan import Plan, PlanDay, ProviderDay

Rows = Sequence[PlanDay | ProviderDay]


def sentences(plan: Plan) -> list[str]:
    """What matters of a plan, in words."""
    told = [_warmed(plan), _clears(plan, "The backlog", plan.days, plan.clears_on)]
    told += _providers(plan)
    if plan.expired:
        share = 100 * plan.expired / plan.arrived
        told.append(
            f"Warning: {plan.expired:,} of {plan.arrived:,} messages ({share:.1f} %) would expire "
            f"in the client's queue, which keeps each of them for {_days(plan.queue_days)}."
        )
    if plan.settled and (more := sum(row.expired for row in _last(plan, plan.days))):
        span = "day" if plan.period == 1 else "week"
        told.append(f"{more:,} more would expire every {span} after that.")
    return told


def assumed(mix: Mix) -> str:
    """What a plan takes for granted that nobody has told whose mailboxes the mail goes to."""
    shares = ", ".join(f"{name} {share}" for name, share in mix_shares(mix).items())
    return f"Assumed, for the walls of providers: {shares}"


def _providers(plan: Plan) -> Iterator[str]:
    """Of each provider what differs from the whole."""
    for name in plan.providers:
        if any(row.arrived for row in plan.of(name)):
            yield _clears(plan, f"That to {name}", plan.of(name), plan.cleared(name))


def _last(plan: Plan, rows: Rows) -> Rows:
    """The days that come again in a settled plan."""
    return rows[-plan.period :]


def _warmed(plan: Plan) -> str:
    if plan.warmed_on:
        return f"Warmed on {plan.warmed_on}{_day_of(plan, plan.warmed_on)}."
    if plan.settled and not any(row.sent for row in _last(plan, plan.days)):
        return "Never warmed: no mail is sent."
    if plan.settled:
        return f"Never warmed: the cap {_settled(plan)}."
    return f"Not warmed within {_days(len(plan.days))}."


def _settled(plan: Plan) -> str:
    """Of the days that come again: idleness over days off may take the ramp back every week."""
    caps = [row.cap for row in plan.days[-plan.period :] if row.cap is not None and not row.is_off]
    if min(caps) == max(caps):
        return f"stays at {caps[0]:,} a day"
    return f"goes from {min(caps):,} to {max(caps):,} a day, every week anew"


def _clears(plan: Plan, what: str, rows: Rows, clears_on: date | None) -> str:
    if not any(row.backlog or row.expired for row in rows):
        return f"{what} clears every day: no mail waits for the next."
    if clears_on:
        return f"{what} clears on {clears_on}{_day_of(plan, clears_on)}."
    if plan.settled and all(row.backlog or row.expired for row in _last(plan, rows)):
        return f"{what} never clears: every {_span(plan)} more arrives than may go."
    if plan.settled:
        return f"{what} comes back every week: mail waits over some days, and clears again."
    return f"{what} does not clear within {_days(len(plan.days))}."


def _span(plan: Plan) -> str:
    return "day" if plan.period == 1 else "week"


def _day_of(plan: Plan, day: date) -> str:
    return f" (day {(day - plan.days[0].date).days})"


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"
