"""What a policy would do with the mail of coming days, day by day.

The same arithmetic as the live quota (`quota/course.py`), over an imagined queue (`backlog.py`):
every day's mail waits in the client's queue until the walls let it through, or until the client
gives it up. What a plan means in words is `sentences.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final, Protocol

from relay.core.plan.backlog import Backlog, evenly
from relay.core.plan.mix import ANYONE, Mail
from relay.core.policy.policy import MailClass, Policy
from relay.core.policy.ramp import Cap
from relay.core.providers import OTHER
from relay.core.quota.course import Course, from_foot
from relay.core.quota.standing import Standing

QUEUE_DAYS: Final = 5
"""How long MTAs keep trying (RFC 5321 §4.5.4.1: at least 4 to 5 days)."""

MOST_DAYS: Final = 730
LATEST_START: Final = date.max - timedelta(days=MOST_DAYS)

_WEEK: Final = 7


@dataclass(frozen=True, slots=True)
class ProviderDay:
    """One day at one provider. `cap` is its wall; None where it has none of its own."""

    provider: str
    cap: Cap
    arrived: int
    sent: int
    backlog: int
    expired: int


@dataclass(frozen=True, slots=True)
class PlanDay:
    """One day: `arrived` messages came, `sent` went out, `backlog` waits, `expired` were lost.

    `cap` is the ramp's. `open` is what the day lets through of it: less on a day off, by
    smoothing and by what is kept for the other class.
    """

    day: int
    date: date
    cap: Cap
    open: Cap
    is_off: bool
    arrived: int
    sent: int
    backlog: int
    expired: int
    providers: tuple[ProviderDay, ...] = ()


class Row(Protocol):
    """A day of the whole, or of one provider."""

    @property
    def backlog(self) -> int:
        """What waits at its end."""

    @property
    def expired(self) -> int:
        """What was lost on it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A policy over some days. `clears_on` is the first day that ends without backlog for good.

    `settled`: the last `period` days (1, or 7 where the policy has days off) would come again
    and again, so that what has not come by then (`warmed_on`, `clears_on`) never does.
    `queue_days` is how long the client keeps a message that was deferred.
    """

    policy: str
    days: tuple[PlanDay, ...]
    warmed_on: date | None
    clears_on: date | None
    expired: int
    settled: bool
    queue_days: int
    period: int = 1

    @property
    def arrived(self) -> int:
        """All that came."""
        return sum(row.arrived for row in self.days)

    @property
    def providers(self) -> tuple[str, ...]:
        """Those whose mail is told apart."""
        return tuple(each.provider for each in self.days[0].providers)

    def of(self, provider: str) -> tuple[ProviderDay, ...]:
        """The days of one of `providers`."""
        at = self.providers.index(provider)
        return tuple(row.providers[at] for row in self.days)

    def cleared(self, provider: str) -> date | None:
        """As `clears_on`, of one provider."""
        return self._cleared(self.of(provider))

    def _cleared(self, rows: Sequence[Row]) -> date | None:
        waiting = [at for at, row in enumerate(rows) if row.backlog or row.expired]
        after = waiting[-1] + 1 if waiting else 0
        recurs = self.settled and after > len(rows) - self.period and bool(waiting)
        return None if recurs or after >= len(rows) else self.days[after].date


def plan(
    policy: Policy,
    volumes: Sequence[int | Mail],
    start: date,
    *,
    goes_on: bool = True,
    queue_days: int = QUEUE_DAYS,
    mail_class: MailClass = MailClass.MARKETING,
) -> Plan:
    """The plan of `policy` for `volumes` (sends a day, or by provider) from `start` on.

    After them the last volume goes on for ever, or with `goes_on` false nothing more comes.
    The plan ends with the first day that all days after it would be like (where the policy
    has days off: the first week), or without `goes_on` when the queue is empty; after two
    years at the latest.
    """
    return plan_from(
        from_foot(policy, start),
        volumes,
        goes_on=goes_on,
        queue_days=queue_days,
        mail_class=mail_class,
    )


def plan_from(
    course: Course,
    volumes: Sequence[int | Mail],
    *,
    goes_on: bool = True,
    queue_days: int = QUEUE_DAYS,
    mail_class: MailClass = MailClass.MARKETING,
) -> Plan:
    """As `plan`, from where `course` stands; it is moved on.

    The volume of its first day is that of the whole day: what was sent already counts as
    arrived and sent.
    """
    mail = [_by_provider(each) for each in volumes]
    walk = _Walk(course, Backlog(queue_days), mail_class, _names(mail, course.standing))
    period = _WEEK if course.policy.days_off else 1
    rows: list[PlanDay] = []
    states = [walk.state()]
    settled = False
    while len(rows) < MOST_DAYS and not settled:
        arrived = _mail(mail, len(rows), goes_on=goes_on)
        rows.append(walk.next_day(arrived))
        states.append(walk.state())
        steady = len(rows) - (len(mail) - 1)
        if steady < 1:
            continue
        if not goes_on and not walk.backlog.waiting().total():
            break
        settled = goes_on and steady >= period and states[-1] == states[-1 - period]
    return _summary(course.policy, rows, settled=settled, queue_days=queue_days, period=period)


def _by_provider(volume: int | Mail) -> Mail:
    if isinstance(volume, int):
        return {ANYONE: volume} if volume else {}
    return volume


def _names(mail: Sequence[Mail], standing: Standing) -> tuple[str, ...]:
    """Whose mail is told apart: as that to come has it, and what was sent today."""
    names = {name for each in mail for name in each} or {ANYONE}
    if names != {ANYONE}:
        names |= standing.providers.keys() | ({OTHER} if _unnamed(standing) else set())
    return tuple(sorted(names))


def _unnamed(standing: Standing) -> int:
    """Today's sends that are not counted by provider."""
    named = sum(tally.sent + tally.unknown for tally in standing.providers.values())
    return max(0, standing.sent + standing.unknown - named)


def _mail(mail: Sequence[Mail], day: int, *, goes_on: bool) -> Mail:
    if day < len(mail):
        return mail[day]
    return mail[-1] if goes_on and mail else {}


@dataclass(slots=True)
class _Walk:
    """A route going along its ramp, with a client's queue behind it."""

    course: Course
    backlog: Backlog
    mail_class: MailClass
    names: tuple[str, ...]
    day: int = 0

    def next_day(self, wanted: Mail) -> PlanDay:
        """What the next day does with the mail that comes."""
        course, day = self.course, self.day
        before = self._sent_already()
        coming = _rest_of(wanted, before)
        arrived = before + coming
        expired = self.backlog.expire(day)
        self.backlog.arrive(day, coming)
        room = course.room([name for name in self.names if name != ANYONE], self.mail_class)
        taken = self.backlog.take(room.total, room.providers)
        counts = (arrived, taken + before, self.backlog.waiting(), expired)
        all_arrived, all_sent, waits, lost = (count.total() for count in counts)
        row = PlanDay(
            day,
            course.window.date,
            course.cap,
            None if room.total is None else room.total + before.total(),
            course.is_off,
            all_arrived,
            all_sent,
            waits,
            lost,
            tuple(self._provider_day(name, counts) for name in self.names if name != ANYONE),
        )
        course.pass_day(taken.total())
        self.day += 1
        return row

    def _provider_day(self, name: str, counts: tuple[Counter[str], ...]) -> ProviderDay:
        arrived, sent, waits, lost = (count[name] for count in counts)
        return ProviderDay(name, self.course.provider_cap(name), arrived, sent, waits, lost)

    def _sent_already(self) -> Counter[str]:
        """What went out today before the plan began, by the names of the plan."""
        standing = self.course.standing
        if ANYONE in self.names:
            return Counter({ANYONE: standing.sent + standing.unknown})
        tallies = standing.providers.items()
        found = Counter({name: tally.sent + tally.unknown for name, tally in tallies})
        found[OTHER] += _unnamed(standing)
        return found

    def state(self) -> tuple[object, ...]:
        """All that the next day depends on: the place on the ramp, and the queue by age."""
        return self.course.place(), self.backlog.by_age(self.day)


def _rest_of(wanted: Mail, before: Counter[str]) -> Counter[str]:
    """What is still to come of a day's mail, of which `before` went out already.

    Where that was more to a provider than the mix has, there is less to the others.
    """
    rest = Counter(wanted) - before
    left = max(0, sum(wanted.values()) - before.total())
    return Counter(evenly(rest, dict.fromkeys(rest), left))


def _summary(
    policy: Policy, rows: list[PlanDay], *, settled: bool, queue_days: int, period: int
) -> Plan:
    warmed = next((row.date for row in rows if row.cap is None), None)
    expired = sum(row.expired for row in rows)
    made = Plan(policy.name, tuple(rows), warmed, None, expired, settled, queue_days, period)
    return replace(made, clears_on=made._cleared(made.days))  # noqa: SLF001 - its own module
