"""The mail of a plan, sent one by one through the memory model of the store, day by day.

Shares no arithmetic with the plan: it offers each waiting message in order, at several
instants of each day, and counts what the store grants.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import count

from relay.core.policy.pacing import HourlyShare
from relay.core.policy.policy import MailClass, Policy
from relay.core.policy.window import CalendarDay, Rolling24h
from relay.core.quota.reservation import Demand, Granted, Verdict
from relay.core.tenants.tenancy import Route, RouteId
from relay.store.memory import MemoryStore
from tests.contract.world import HandClock

_numbers = count()
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
APART = timedelta(hours=24, minutes=30)


class Driver:
    """One route, one store, and the client's queue: (day of arrival, provider) → messages."""

    def __init__(self, policy: Policy, start, queue_days, mail_class=MailClass.MARKETING):
        self.route = Route(RouteId("news.acme.example", "outbound"), policy)
        self.clock = HandClock()
        self.store = MemoryStore(self.clock)
        self.start, self.queue_days, self.mail_class = start, queue_days, mail_class
        self.queue: list[tuple[int, dict[str, int]]] = []

    def day(self, day: int, mail, span=slice(None)) -> tuple[Counter, Counter, Counter]:
        """What is sent, what waits and what is lost on `day`, by provider.

        `span` picks some of the day's instants.
        """
        lost: Counter = Counter()
        for came, counts in self.queue:
            if day - came > self.queue_days:
                lost.update(counts)
        self.queue = [each for each in self.queue if day - each[0] <= self.queue_days]
        self.queue.append((day, dict(mail)))
        sent: Counter = Counter()
        waiting = [(at, name) for at, (_, held) in enumerate(self.queue) for name in _order(held)]
        line = [(place, *each) for place, each in enumerate(waiting)]
        for instant in self.instants(day)[span]:
            self.clock.set(instant)
            line = self.offer(line, sent)
        waits: Counter = Counter()
        for _, counts in self.queue:
            waits.update(counts)
        return sent, waits, lost

    def standing(self):
        """Where the route stands, and the instant of it; what still waited is given up."""
        self.queue = []
        now = self.clock.now()
        window = self.route.policy.window.at(now)
        return self.route, window, _done(self.store.standing(self.route, window)), now

    def instants(self, day: int):
        """When the client tries: each hour and at the last second; of a rolling day once.

        That is half an hour later every day, so that what was sent the day before has left.
        """
        form = self.route.policy.window
        window = CalendarDay(form.zone, form.starts).of(self.start + timedelta(days=day))
        if isinstance(form, Rolling24h):
            first = CalendarDay(form.zone, form.starts).of(self.start).opens_at
            return [first + day * APART]
        if not isinstance(self.route.policy.smoothing, HourlyShare):
            return [window.opens_at, window.closes_at - SECOND]
        hours = int((window.closes_at - window.opens_at) / HOUR)
        return [window.opens_at + hour * HOUR for hour in range(hours)]

    def offer(self, line, sent):
        """Offer all of `line` in order, and return what is left of it.

        Where one is stopped, all that follow to its provider are.
        """
        left = []
        while line:
            went = self.longest(line)
            for _, cohort, name in line[:went]:
                self.queue[cohort][1][name] -= 1
                sent[name] += 1
            rest = line[went:]
            stopped = rest[0][2] if rest else None
            left += [each for each in rest if each[2] == stopped]
            line = [each for each in rest if each[2] != stopped]
        return sorted(left)

    def longest(self, line) -> int:
        """How many from the front of `line` the store grants."""
        if self.granted(line):
            return len(line)
        low, high = 0, len(line)
        while high - low > 1:
            middle = (low + high) // 2
            if self.granted(line[low:middle]):
                low = middle
            else:
                high = middle
        return low

    def granted(self, line) -> bool:
        """Whether all of `line` went out."""
        split = tuple(sorted(Counter(name for *_, name in line).items()))
        window = self.route.policy.window.at(self.clock.now())
        demand = Demand(
            self.route, window, len(line), self.clock.now(), f"d{next(_numbers)}", "i.1",
            None, split, self.mail_class,
        )  # fmt: skip
        found = _done(self.store.reserve(demand, anew=True))
        if not isinstance(found, Granted):
            return False
        _done(self.store.settle(found.reservation, Verdict.SENT, self.clock.now()))
        return True


def _done(work):
    """The result of a verb of the model, which waits for nothing."""
    try:
        work.send(None)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("the model waited")


def _order(counts):
    """One day's messages, evenly mixed: the k-th of n stands at (k - 1/2) / n."""
    whole = 1
    for number in counts.values():
        whole *= number or 1
    places = [
        ((2 * k + 1) * (whole // number), name)
        for name, number in counts.items()
        for k in range(number)
    ]
    return [name for _, name in sorted(places)]
