"""Every metric that the relay exposes: one table (DESIGN §8).

Label sets are bounded: domains and tenants by `domains.py`, upstreams are configured, the rest
are enumerations. No recipient is ever in a label. Quota gauges are read from the store when
they are scraped, never kept here, so that every relay on a store tells the same numbers.
`multiprocess_mode` is how the gauges of several workers become one (`shared.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from relay.core.policy.ramp import Cap
from relay.core.policy.window import Window
from relay.core.quota.reservation import Standing, State, Tally, remaining, state_of, warmup_day
from relay.core.status.report import Status
from relay.core.tenants.tenancy import Route
from relay.telemetry.domains import NamedDomains
from relay.telemetry.values import InFile, InMemory, Stage, counted, keep_in

STAGES: Final = ("receive", "reserve", "sign", "sync", "forward", "settle")
BUCKETS_S: Final = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
)  # fmt: skip
WHOLE_ROUTE: Final = "all"
"""The `provider` label of a route's own cap."""

disable_created_metrics()
keep_in(InMemory)


@dataclass(frozen=True, slots=True)
class RouteReading:
    """One route as it stood when it was read for a scrape."""

    route: Route
    window: Window
    standing: Standing


def _number(cap: Cap) -> float:
    return float("inf") if cap is None else float(cap)


class QuotaGauges(Collector):
    """The gauges that are read from the store; `readings` is replaced before each scrape."""

    def __init__(self) -> None:
        self.readings: list[RouteReading] = []

    def describe(self) -> Iterable[Metric]:
        """No metric has a value before the first scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        """One family after the other, as the exposition format wants them."""
        yield from self._quota()
        yield from self._progress()
        yield self._states()

    def _quota(self) -> Iterator[Metric]:
        table: dict[str, tuple[str, Callable[[_Quota], float]]] = {
            "cap": ("Most sends in the current window", lambda quota: _number(quota.cap)),
            "sent": ("Sends in the current window", lambda q: q.counts.sent + q.counts.unknown),
            "reserved": ("Sends in flight", lambda quota: quota.counts.reserved),
            "remaining": ("Sends left in the window", lambda quota: _number(quota.remaining)),
        }
        quotas = [(read, quota) for read in self.readings for quota in _quotas(read)]
        for name, (text, value) in table.items():
            labels = ["domain", "upstream", "provider"]
            family = GaugeMetricFamily(f"relay_quota_{name}", text, labels=labels)
            for read, quota in quotas:
                family.add_metric([*_route(read), quota.provider], value(quota))
            yield family

    def _progress(self) -> Iterator[Metric]:
        labels = ["domain", "upstream"]
        day = GaugeMetricFamily("relay_warmup_day", "Days since the first send", labels=labels)
        sends = GaugeMetricFamily(
            "relay_lifetime_sends", "Sends since the first one or the last restart", labels=labels
        )
        for read in self.readings:
            day.add_metric(_route(read), warmup_day(read.window, read.standing))
            sends.add_metric(_route(read), read.standing.lifetime)
        yield day
        yield sends

    def _states(self) -> Metric:
        labels = ["domain", "upstream", "state"]
        family = GaugeMetricFamily("relay_route_state", "1 for the state it is in", labels=labels)
        for read in self.readings:
            now = state_of(read.route, read.window, read.standing)
            for state in State:
                family.add_metric([*_route(read), state.value], float(state is now))
        return family


@dataclass(frozen=True, slots=True)
class _Quota:
    """What the quota gauges tell of a route, or of a provider of it."""

    provider: str
    cap: Cap
    counts: Standing | Tally
    remaining: Cap


def _quotas(read: RouteReading) -> Iterator[_Quota]:
    status = Status(read.route, "", read.window, read.standing)
    left = remaining(status.cap, read.standing)
    yield _Quota(WHOLE_ROUTE, status.cap, read.standing, left)
    for name in status.providers():
        if read.route.policy.provider_cap(name) is None:
            continue  # no wall of its own: the route's numbers would only stand here twice
        counts, left = read.standing.tally(name), status.provider_remaining(name)
        yield _Quota(name, status.provider_limit(name), counts, left)


def _route(read: RouteReading) -> list[str]:
    return [read.route.id.domain, read.route.id.upstream]


@dataclass(slots=True)
class Metrics:
    """The table."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    quota: QuotaGauges = field(default_factory=QuotaGauges)
    messages: Counter = field(init=False)
    deferrals: Counter = field(init=False)
    upstream_replies: Counter = field(init=False)
    stage_seconds: Histogram = field(init=False)
    stages: dict[str, Stage] = field(init=False)
    auth_failures: Counter = field(init=False)
    auth_blocked: Counter = field(init=False)
    crowded_out: Counter = field(init=False)
    store_up: Gauge = field(init=False)
    policy_reload_failed: Gauge = field(init=False)
    connections: Gauge = field(init=False)
    tasks: Gauge = field(init=False)
    domains: Gauge = field(init=False)
    named: NamedDomains = field(default_factory=NamedDomains)
    _of_messages: dict[tuple[str, str, str], InMemory | InFile] = field(default_factory=dict)

    def __post_init__(self) -> None:
        to = self.registry
        to.register(self.quota)
        self.domains = Gauge(
            "relay_domains", "Domains in the config", registry=to, multiprocess_mode="livemax"
        )
        self.messages = Counter(
            "relay_messages", "Messages by outcome", ["tenant", "domain", "outcome"], registry=to
        )
        self.deferrals = Counter(
            "relay_deferrals", "Deferred by warm-up, by wall", ["domain", "wall"], registry=to
        )
        self.upstream_replies = Counter(
            "relay_upstream_replies",
            "Replies to MAIL, RCPT, DATA and the final dot",
            ["upstream", "class", "enhanced"],
            registry=to,
        )
        self.stage_seconds = Histogram(
            "relay_stage_seconds", "Time per stage", ["stage"], buckets=BUCKETS_S, registry=to
        )
        self.auth_failures = Counter("relay_auth_failures", "Failed AUTH", registry=to)
        self.auth_blocked = Counter(
            "relay_auth_blocked", "AUTH refused unseen, after too many failures", registry=to
        )
        self.crowded_out = Counter(
            "relay_crowded_out", "Messages for which limits.memory had no room", registry=to
        )
        self.store_up = Gauge(
            "relay_store_up",
            "1 if the store takes writes",
            registry=to,
            multiprocess_mode="livemin",
        )
        self.policy_reload_failed = Gauge(
            "relay_policy_reload_failed",
            "1 if the last reload was refused",
            registry=to,
            multiprocess_mode="livemax",
        )
        self.connections = Gauge(
            "relay_connections",
            "Open SMTP connections",
            ["listener"],
            registry=to,
            multiprocess_mode="livesum",
        )
        self.tasks = Gauge(
            "relay_tasks",
            "Pieces of work in the event loop; steady where nothing is under way",
            registry=to,
            multiprocess_mode="livesum",
        )
        self.stages = {stage: Stage(self.stage_seconds.labels(stage)) for stage in STAGES}

    def count(self, tenant: str, domain: str, outcome: str) -> None:
        """One more message of `tenant`; a domain that is not named counts among the others."""
        series = (tenant, domain, outcome)
        found = self._of_messages.get(series)
        if found is None:
            labels = (*self.named.labels(tenant, domain), outcome)
            found = counted(self.messages.labels(*labels))
            if labels == series:
                self._of_messages[series] = found
        found.value += 1

    def text(self) -> bytes:
        """The exposition, text format 0.0.4."""
        return generate_latest(self.registry)
