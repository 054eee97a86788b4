"""The layers behind a route's number of today, each with the line that says so.

Made of a `Status` and the `Sources` of the config; asks nobody. The order is that of the
decision: route, policy, window, day, tier, walls, counters.
"""

from __future__ import annotations

from calendar import day_name
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from relay.cli.inspect import bound_name, bound_text
from relay.core.policy.pacing import Even, HourlyShare
from relay.core.policy.policy import ANY_OTHER, Policy
from relay.core.policy.ramp import Advance
from relay.core.providers import ProviderAnswer
from relay.core.quota.bounds import Bound, WallKind
from relay.core.quota.reservation import State, next_tier, provider_cap_of, warmup_day
from relay.core.quota.wording import cap_text, counted_text, timestamp
from relay.core.sources import PolicySources, Source, Sources
from relay.core.status.report import Status


@dataclass(frozen=True, slots=True)
class Layer:
    """One thing that today's number comes from, and where that is written, if it is."""

    name: str
    says: str
    source: Source | None = None

    def fields(self) -> dict[str, Any]:
        """As JSON."""
        at = self.source
        return {
            "layer": self.name,
            "says": self.says,
            "file": at.path if at else None,
            "line": at.line if at else None,
            "column": at.column if at else None,
        }


def layers_of(one: Status, sources: Sources) -> list[Layer]:
    """All of them but what the recipient and the next message add."""
    found = sources.of(one.route.policy)
    return [
        Layer("route", f"{one.route.id} of tenant {one.tenant}", sources.routes.get(one.route.id)),
        *_policy(one.route.policy, found),
        *_window(one, found),
        *_progress(one, found),
        *_tiers(one, found),
        *_rules(one.route.policy, found),
        *_state(one, found),
        *_counters(one),
        *_walls(one, found),
    ]


def recipient_layer(recipient: str, found: ProviderAnswer, sources: Sources) -> Layer:
    """Whose mailbox it is, and by which line or MX record."""
    by = f"{found.how.value}: {found.detail}"
    if found.claim and found.claim not in found.detail:
        by += f", claimed as {found.claim}"
    source = sources.providers.get((found.path, found.provider, found.claim))
    return Layer("recipient", f"{recipient}: {found.provider} ({by})", source)


def rule_layer(one: Status, provider: str, sources: Sources) -> Layer:
    """What the policy says of `provider`."""
    rule = one.route.policy.provider_cap(provider)
    if rule is None:
        return Layer("rule", f"{provider} has no wall of its own")
    limit = provider_cap_of(one.route.policy, one.window, one.standing, provider)
    by = "" if provider in one.route.policy.providers else f", as {ANY_OTHER} says"
    source = sources.of(one.route.policy).stage(one.progress, _ruled_as(one, provider))
    return Layer("rule", f"{provider}: {cap_text(limit)} today{by}", source)


def _ruled_as(one: Status, provider: str) -> str:
    return provider if provider in one.route.policy.providers else ANY_OTHER


def _policy(policy: Policy, found: PolicySources) -> Iterator[Layer]:
    where = "" if policy.path else " (built in)"
    says = f"{policy.name}{where}: {policy.description}"
    yield Layer("policy", says, found.at("description"))
    for path in found.overrides:
        yield Layer("overrides", f"{path}, which has the same name and comes before", None)
    yield Layer("source", policy.source or "not given", found.at("source"))


def _window(one: Status, found: PolicySources) -> Iterator[Layer]:
    span = f"{timestamp(one.window.opens_at)} to {timestamp(one.window.closes_at)}"
    kind = "rolling 24 hours" if one.window.slides else "calendar day"
    yield Layer("window", f"{kind}, {one.window.date}: {span}", found.at("window"))
    yield Layer("zone", one.route.policy.window.zone, found.at("window", "timezone"))


def _progress(one: Status, found: PolicySources) -> Iterator[Layer]:
    first = one.standing.first_at
    says = f"first send {timestamp(first)}" if first else "no send yet: day 0"
    yield Layer("clock", says)
    yield Layer("progress", _counted(one), found.at("ramp", "advance"))


def _counted(one: Status) -> str:
    """How far up its ramp the route is, and the numbers that this comes from."""
    standing, ramp = one.standing, one.route.policy.ramp
    match ramp.advance:
        case Advance.CALENDAR_DAYS:
            parts, base = f"{warmup_day(one.window, standing)} since the first", standing.base_days
        case Advance.SENDING_DAYS:
            parts, base = f"{standing.sending_days} earlier with sends", standing.base_days
        case Advance.QUALIFIED_DAYS:
            share = f"{ramp.qualify_ppm / 10_000:g} %"
            parts = f"{standing.qualified_days} earlier with {share} of the cap sent"
            parts += f"; today needs {ramp.qualifies_from(one.cap)}"
            base = standing.base_days
        case Advance.LIFETIME_SENDS:
            parts = f"{standing.lifetime_open} when the window opened, {standing.lifetime} now"
            base = standing.base_sends
    more = f", from {base} after idleness" if base else ""
    return f"{one.progress} {ramp.advance.value} ({parts}{more})"


def _tiers(one: Status, found: PolicySources) -> Iterator[Layer]:
    ramp = one.route.policy.ramp
    tier = ramp.tier_at(one.progress)
    yield Layer("tier", f"from {tier.start}: cap {cap_text(tier.cap)}", found.stage(tier.start))
    ceiling = found.at("ramp", "hold_at")
    if ceiling:
        yield Layer("ceiling", "no cap of the ramp is above hold_at", ceiling)
    after = next_tier(one.route.policy, one.window, one.standing)
    if after:
        says = f"cap {cap_text(after.cap)} from {counted_text(ramp.advance, after.start)}"
        yield Layer("next tier", says, found.stage(after.start))


def _rules(policy: Policy, found: PolicySources) -> Iterator[Layer]:
    """What else the policy says that lowers or moves the number."""
    for mail_class, ppm in policy.headroom_ppm.items():
        says = f"{ppm / 10_000:g} % of every cap is kept for {mail_class} mail"
        yield Layer("headroom", says, found.at("headroom", mail_class.value))
    if policy.smoothing is not None:
        yield Layer("smoothing", _smoothed(policy.smoothing), found.at("smoothing"))
    if policy.idle:
        says = f"{policy.idle.action.value} after {policy.idle.after_days} days without sends"
        yield Layer("idle rule", says, found.at("idle"))
    if policy.days_off:
        names = ", ".join(day_name[day] for day in sorted(policy.days_off))
        yield Layer("days off", names, found.at("days_off"))


def _smoothed(smoothing: HourlyShare | Even) -> str:
    if isinstance(smoothing, HourlyShare):
        return f"{smoothing.ppm / 10_000:g} % of the cap in each clock hour"
    begins = f"{smoothing.begins:%H:%M}" if smoothing.begins else "the window's opening"
    ends = f"{smoothing.ends:%H:%M}" if smoothing.ends else "its end"
    return f"the cap opens evenly from {begins} to {ends}"


def _state(one: Status, found: PolicySources) -> Iterator[Layer]:
    standing = one.standing
    if one.day_off is not None:
        yield Layer("day off", f"no sends on {one.window.date:%A}s", found.at("days_off"))
    if standing.idled:
        yield Layer("idle", standing.idled, found.at("idle"))
    if standing.graduated_at:
        yield Layer("graduated", f"{timestamp(standing.graduated_at)}: no cap")
    if one.state is State.PAUSED and standing.paused_at:
        why = standing.reason or "no reason given"
        yield Layer("paused", f"{why} (since {timestamp(standing.paused_at)})")


def _counters(one: Status) -> Iterator[Layer]:
    standing = one.standing
    used = f"{standing.sent} sent, {standing.unknown} of unknown outcome, "
    used += f"{standing.reserved} in flight"
    yield Layer("store", f"{used}; {standing.lifetime} sent ever")
    left = one.fields()["remaining_today"]
    yield Layer("cap", f"{cap_text(one.cap)}, {cap_text(left)} left")


def _walls(one: Status, found: PolicySources) -> Iterator[Layer]:
    for bound in one.bounds():
        source = _source_of(one, bound, found)
        yield Layer("wall", f"{bound_name(bound)}: {bound_text(one, bound)}", source)


def _source_of(one: Status, bound: Bound, found: PolicySources) -> Source | None:
    if bound.kept_for is not None:
        return found.at("headroom", bound.kept_for.value)
    if bound.kind is WallKind.HOUR:
        return found.at("smoothing")
    if bound.provider is None:
        return found.stage(one.progress)
    return found.stage(one.progress, _ruled_as(one, bound.provider))
