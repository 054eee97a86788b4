"""The status of a route, as the API, the command line and the pages tell it (DESIGN §7)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from relay.core.quota import (
    Standing,
    State,
    cap_of,
    next_tier,
    progress,
    remaining,
    state_of,
    warmed_on,
    warmup_day,
)
from relay.core.ramp import Advance, Cap
from relay.core.tenancy import Route
from relay.core.window import Window
from relay.core.wording import timestamp

FORECAST_DAYS: Final = 14


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
    def sent(self) -> int:
        """Sends counted today, those of unknown outcome included."""
        return self.standing.sent + self.standing.unknown

    def fields(self) -> dict[str, Any]:
        """The JSON object; null stands for unlimited, unknown and not yet."""
        standing = self.standing
        return {
            "id": self.route.id.domain,
            "tenant": self.tenant,
            "domain": self.route.id.domain,
            "upstream": self.route.id.upstream,
            "policy": self.route.policy.name,
            "state": self.state.value,
            "reason": standing.reason,
            "warmup_day": warmup_day(self.window, standing),
            "daily_limit": self.cap,
            "emails_sent_today": self.sent,
            "remaining_today": remaining(self.cap, standing),
            "reserved_now": standing.reserved,
            "resets_at": timestamp(self.window.closes_at),
            "first_send_at": _moment(standing.first_at),
            "warmup_ends_at": _moment(self.ends_at()),
            "lifetime_sends": standing.lifetime,
            "next_tier": self._next_tier(),
            "providers": {},
            "rates": {"bounces": None, "complaints": None, "deferrals": None},
            "forecast": self._forecast(),
        }

    def ends_at(self) -> datetime | None:
        """When the warm-up ends, where days alone decide it."""
        day = warmed_on(self.route.policy, self.window, self.standing)
        return None if day is None else self.route.policy.window.boundary(day)

    def _next_tier(self) -> dict[str, Any] | None:
        tier = next_tier(self.route.policy, self.window, self.standing)
        return None if tier is None else {"at": tier.start, "cap": tier.cap}

    def _forecast(self) -> list[dict[str, Any]]:
        """The caps of the coming days, if each day's cap is used up."""
        if self.state in {State.EXEMPT, State.WARMED}:
            return []
        caps: list[dict[str, Any]] = []
        policy, lifetime = self.route.policy, self.standing.lifetime_open
        at = progress(policy, self.window, self.standing)
        for ahead in range(FORECAST_DAYS):
            cap = policy.ramp.tier_at(at).cap
            date = self.window.date + timedelta(days=ahead)
            caps.append({"date": date.isoformat(), "cap": cap})
            if cap is None:
                break
            lifetime += cap
            at = lifetime if policy.ramp.advance is Advance.LIFETIME_SENDS else at + 1
        return caps


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)
