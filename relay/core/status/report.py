"""The status of a route, as the API, the command line and the pages tell it (DESIGN §7)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from relay.core.policy.policy import ANY_OTHER, EXEMPT, MailClass
from relay.core.policy.ramp import Cap, lowest
from relay.core.policy.window import Window
from relay.core.quota.bounds import Bound, WallKind, bounds_on
from relay.core.quota.reservation import (
    Standing,
    State,
    Wall,
    cap_of,
    next_tier,
    progress,
    provider_cap_of,
    remaining,
    state_of,
    warmed_on,
    warmup_day,
)
from relay.core.quota.wording import timestamp
from relay.core.status.forecast import forecast
from relay.core.tenants.tenancy import Route


@dataclass(frozen=True, slots=True)
class Status:
    """A route and where it stands. `fields` is the JSON object of DESIGN §7."""

    route: Route
    tenant: str
    window: Window
    standing: Standing

    @property
    def cap(self) -> Cap:
        """Today's cap; None is unlimited."""
        return cap_of(self.route.policy, self.window, self.standing)

    @property
    def state(self) -> State:
        """The state of the route."""
        return state_of(self.route, self.window, self.standing)

    @property
    def has_ramp(self) -> bool:
        """Whether it is warmed at all: not where its policy is `exempt`."""
        return self.route.policy.name != EXEMPT.name

    @property
    def sent(self) -> int:
        """Sends counted today, those of unknown outcome included."""
        return self.standing.sent + self.standing.unknown

    @property
    def reason(self) -> str:
        """Why the route is paused, or why its ramp went back."""
        is_told = self.state in {State.PENDING, State.WARMING}
        return self.standing.reason or (self.standing.idled if is_told else "")

    @property
    def resets_at(self) -> datetime:
        """When the window ends; of a rolling one, when the first sends leave it."""
        return self.standing.leaving[0].at if self.standing.leaving else self.window.closes_at

    @property
    def progress(self) -> int:
        """How far up its ramp the route is, in what the ramp counts."""
        return progress(self.route.policy, self.window, self.standing)

    def providers(self) -> list[str]:
        """Those that the policy names, and those that were sent to."""
        named = self.route.policy.providers.keys() - {ANY_OTHER}
        return sorted(named | self.standing.providers.keys())

    def provider_limit(self, provider: str) -> Cap:
        """The cap of a provider: its own, or where that is higher or none, the route's."""
        own = provider_cap_of(self.route.policy, self.window, self.standing, provider)
        return lowest(own, self.cap)

    def provider_remaining(self, provider: str) -> Cap:
        """What may still go to a provider: no more than may still go at all."""
        own = remaining(self.provider_limit(provider), self.standing.tally(provider))
        return lowest(own, remaining(self.cap, self.standing))

    def bounds(self) -> list[Bound]:
        """Every limit as it stands for one more recipient, of any provider and class."""
        words = (self.route, self.window, self.standing, 1)
        split = tuple((name, 1) for name in self.providers())
        found = list(bounds_on(*words, split))
        for mail_class in MailClass:
            for bound in bounds_on(*words, split, mail_class):
                found += [bound] if bound.kind is WallKind.HEADROOM else []
        return found

    @property
    def day_off(self) -> datetime | None:
        """When sends go on after a day off; None if today is none."""
        is_off = self.route.policy.is_off(self.window.date)
        if not is_off or self.standing.graduated_at is not None:
            return None
        return Wall(WallKind.DAY_OFF, self.route, self.window, self.standing, 1).opens_at

    def wall_of(self, bound: Bound) -> Wall | None:
        """The wall that `bound` is now, if one more recipient would pass it."""
        if not bound.is_passed:
            return None
        return Wall(bound.kind, self.route, self.window, self.standing, bound.wanted, bound)

    def counters(self) -> dict[str, Any]:
        """The part of `fields` that is watched live, at a tenth of its cost: no forecast in it."""
        return {
            "id": self.route.name,
            "tenant": self.tenant,
            "state": self.state.value,
            "warmup_day": warmup_day(self.window, self.standing),
            "daily_limit": self.cap,
            "emails_sent_today": self.sent,
            "remaining_today": remaining(self.cap, self.standing),
            "reserved_now": self.standing.reserved,
            "lifetime_sends": self.standing.lifetime,
            "resets_at": timestamp(self.resets_at),
        }

    def fields(self) -> dict[str, Any]:
        """The JSON object; null stands for unlimited, unknown and not yet."""
        standing, policy = self.standing, self.route.policy
        return self.counters() | {
            "domain": self.route.id.domain,
            "upstream": self.route.id.upstream,
            "policy": policy.name,
            "reason": self.reason,
            "progress": {"counts": policy.ramp.advance.value, "at": self.progress},
            "first_send_at": _moment(standing.first_at),
            "warmup_ends_at": _moment(self.ends_at()),
            "next_tier": self._next_tier(),
            "providers": {name: self._provider(name) for name in self.providers()},
            "walls": self._walls(),
            "rates": {"bounces": None, "complaints": None, "deferrals": None},
            "forecast": self._forecast(),
        }

    def ends_at(self) -> datetime | None:
        """When the warm-up ends, where days alone decide it; of a graduated route, when it did.

        None where there is no warm-up.
        """
        if not self.has_ramp:
            return None
        if self.standing.graduated_at is not None:
            return self.standing.graduated_at
        day = warmed_on(self.route.policy, self.window, self.standing)
        return None if day is None else self.route.policy.window.boundary(day)

    def _provider(self, name: str) -> dict[str, Any]:
        tally = self.standing.tally(name)
        return {
            "limit": self.provider_limit(name),
            "sent": tally.sent + tally.unknown,
            "remaining": self.provider_remaining(name),
        }

    def _walls(self) -> list[dict[str, Any]]:
        found = [self._wall(bound) for bound in self.bounds()]
        if (opens := self.day_off) is not None:
            shut = self._wall(Bound(WallKind.DAY_OFF, 0, 0, 1))
            found.append(shut | {"opens_at": _moment(opens)})
        return found

    def _wall(self, bound: Bound) -> dict[str, Any]:
        wall = self.wall_of(bound)
        return {
            "wall": bound.kind.value,
            "provider": bound.provider,
            "kept_for": bound.kept_for,
            "used": bound.used,
            "limit": bound.limit,
            "opens_at": _moment(wall.passable_at) if wall else None,
        }

    def _next_tier(self) -> dict[str, Any] | None:
        tier = next_tier(self.route.policy, self.window, self.standing)
        return None if tier is None else {"at": tier.start, "cap": tier.cap}

    def _forecast(self) -> list[dict[str, Any]]:
        if self.state in {State.EXEMPT, State.WARMED}:
            return []
        coming = forecast(self.route, self.window, self.standing)
        return [{"date": day.isoformat(), "cap": cap} for day, cap in coming]


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)
