"""What was really charged and sent, told by nobody but the grants: instants and counts.

Works with fractions and lists, and shares no arithmetic with the relay: what it is asked is
whether a grant was one that the policy allows (rule 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from fractions import Fraction
from math import ceil, floor
from zoneinfo import ZoneInfo

from relay.core.policy.limits import Share
from relay.core.policy.pacing import Even, HourlyShare
from relay.core.policy.policy import IdleAction, MailClass
from relay.core.policy.ramp import Advance
from relay.core.policy.window import Rolling24h
from relay.core.quota.reservation import Demand, Reservation, Verdict

DAY = timedelta(days=1)


@dataclass
class Entry:
    """One grant."""

    at: datetime
    day: int
    split: dict[str, int]
    mail_class: MailClass
    verdict: Verdict | None = None

    @property
    def sends(self) -> int:
        return sum(self.split.values())


class Ledger:
    """Every grant of one route, and how far its ramp can be."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.sent_days: set[int] = set()
        self.forget()

    def forget(self) -> None:
        self.first_day: int | None = None
        self.last_day: int | None = None
        self.lifetime = 0
        self.graduated = False
        self.stepped_back = False
        self.sent_days = set()

    def restart(self) -> None:
        self.forget()

    def grant(self, demand: Demand) -> None:
        """Write it down; afterwards every limit must still hold."""
        self._idle(demand)
        self.entries[demand.reservation] = Entry(
            demand.now, demand.window.day, dict(demand.split), demand.mail_class
        )
        if not self.graduated:
            self._check(demand)

    def settle(self, reservation: Reservation, verdict: Verdict) -> None:
        entry = self.entries[reservation.id]
        if entry.verdict is not None:
            return
        entry.verdict = verdict
        if verdict is Verdict.SENT:
            self.lifetime += entry.sends
            self.first_day = entry.day if self.first_day is None else self.first_day
            self.last_day = max(entry.day, self.last_day or entry.day)
            self.sent_days.add(entry.day)

    def _idle(self, demand: Demand) -> None:
        idle = demand.route.policy.idle
        if idle is None or self.last_day is None:
            return
        if demand.window.day - self.last_day > idle.after_days:
            self.forget()
            self.stepped_back = idle.action is IdleAction.STEP_BACK

    def _check(self, demand: Demand) -> None:
        policy = demand.route.policy
        assert demand.window.date.weekday() not in policy.days_off
        cap = self.most(demand)
        if cap is not None:
            inside = self._inside(demand)
            assert self._used(inside) <= cap - self._kept(demand, inside, None, cap)
            self._check_pace(demand, cap)
        for provider in dict(demand.split):
            limit = self._provider_limit(demand, provider, cap)
            if limit is not None:
                inside = self._inside(demand)
                kept = self._kept(demand, inside, provider, limit)
                assert self._used(inside, provider) <= limit - kept, provider

    def _inside(self, demand: Demand) -> list[Entry]:
        """The entries of the demand's window, by their instants."""
        opens, closes = demand.window.opens_at, demand.window.closes_at
        if isinstance(demand.route.policy.window, Rolling24h):
            opens, closes = demand.now - DAY, demand.now + timedelta(microseconds=1)
        return self._between(opens, closes)

    def _between(self, since: datetime, until: datetime) -> list[Entry]:
        inside = [e for e in self.entries.values() if since <= e.at < until]
        return [e for e in inside if e.verdict is not Verdict.REFUND]

    def _used(self, entries: list[Entry], provider: str | None = None) -> int:
        return sum(e.sends if provider is None else e.split.get(provider, 0) for e in entries)

    def _kept(self, demand: Demand, entries: list[Entry], provider: str | None, cap: int) -> int:
        kept = 0
        for other, ppm in demand.route.policy.headroom_ppm.items():
            if other is not demand.mail_class:
                theirs = self._used([e for e in entries if e.mail_class is other], provider)
                kept += max(0, floor(cap * Fraction(ppm, 10**6)) - theirs)
        # A class may have used its own headroom outside of this window only.
        return kept if not isinstance(demand.route.policy.window, Rolling24h) else 0

    def _check_pace(self, demand: Demand, cap: int) -> None:
        smoothing, form = demand.route.policy.smoothing, demand.route.policy.window
        if isinstance(smoothing, HourlyShare):
            local = demand.now.astimezone(ZoneInfo(form.zone))
            since = demand.now - timedelta(
                minutes=local.minute, seconds=local.second, microseconds=local.microsecond
            )
            used = self._used(self._between(since, since + timedelta(hours=1)))
            assert used <= max(1, ceil(cap * Fraction(smoothing.ppm, 10**6)))
        if isinstance(smoothing, Even) and not isinstance(form, Rolling24h):
            window = demand.window
            begins = self._clock_time(demand, smoothing.begins, window.opens_at)
            ends = self._clock_time(demand, smoothing.ends, window.closes_at)
            burst = smoothing.burst
            least = max(1, floor(cap * Fraction(1, 20))) if burst is None else burst
            line = _whole_seconds(demand.now - begins) / _whole_seconds(ends - begins)
            used = self._used(self._between(window.opens_at, window.closes_at))
            assert demand.now >= begins
            # The k-th of n is open from (k - 1)/n of the line on, so one more than the line says.
            assert used <= max(least, floor(cap * line) + 1)

    def _clock_time(self, demand: Demand, at: time | None, otherwise: datetime) -> datetime:
        """When the clock first shows `at` in the window, by trying every minute of it."""
        if at is None:
            return otherwise
        window, zone = demand.window, ZoneInfo(demand.route.policy.window.zone)
        minute = timedelta(minutes=1)
        moment = window.opens_at
        while moment < window.closes_at:
            if moment.astimezone(zone).time() == at:
                return moment
            moment += minute
        return otherwise

    def _provider_limit(self, demand: Demand, provider: str, cap: int | None) -> int | None:
        """The largest that any tier in reach allows."""
        policy = demand.route.policy
        reach = self._reach(policy.ramp.advance, demand.window.day)
        rule = policy.providers.get(provider) or policy.providers.get("default")
        if rule is None:
            return None
        found: list[int | None] = []
        for tier in rule.tiers:
            if tier.start > reach:
                continue
            limit = tier.limit
            if isinstance(limit, Share):
                limit = None if cap is None else max(1, floor(cap * Fraction(limit.ppm, 10**6)))
            found.append(limit)
        return None if None in found else max(found)

    def _reach(self, advance: Advance, day: int) -> float:
        """How far up the ramp the route can be at most."""
        if self.stepped_back:
            return float("inf")
        if advance is Advance.CALENDAR_DAYS:
            return max(0, day - (day if self.first_day is None else self.first_day))
        if advance is Advance.LIFETIME_SENDS:
            return self.lifetime
        return sum(sent < day for sent in self.sent_days)

    def most(self, demand: Demand) -> int | None:
        """The cap; where the reach is an upper bound only, the largest cap in reach."""
        ramp = demand.route.policy.ramp
        reach = self._reach(ramp.advance, demand.window.day)
        caps = [tier.cap for tier in ramp.tiers if tier.start <= reach]
        if ramp.advance in {Advance.CALENDAR_DAYS, Advance.SENDING_DAYS} and not self.stepped_back:
            return caps[-1]
        return None if None in caps else max(caps)


def _whole_seconds(span: timedelta) -> Fraction:
    return Fraction(span // timedelta(seconds=1))
