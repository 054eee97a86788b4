"""Counting in place says what the library says, in memory and in a file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values

from relay.telemetry.kept_counts import KeptCounts
from relay.telemetry.metrics import BUCKETS_S, Metrics
from relay.telemetry.values import InMemory, Stage, counted, in_files, keep_in


@pytest.fixture(params=["in memory", "in a file"])
def kind(request, tmp_path):
    opened = KeptCounts(str(tmp_path / "counts.db"))
    kind = InMemory if request.param == "in memory" else in_files(lambda _: opened)
    keep_in(kind)
    yield kind
    keep_in(InMemory)


def histogram(registry):
    return Histogram("took", "Seconds", ["stage"], buckets=BUCKETS_S, registry=registry)


@given(some.lists(some.floats(0, 400) | some.sampled_from(BUCKETS_S), max_size=20))
def test_a_stage_observes_as_the_library_does(seconds):
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    stage, library = Stage(histogram(ours).labels("sign")), histogram(theirs).labels("sign")
    for each in seconds:
        stage.observe(each)
        library.observe(each)
    assert generate_latest(ours) == generate_latest(theirs)


def test_the_page_is_that_of_the_librarys_own_values(kind):
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    for registry, of in ((ours, kind), (theirs, values.MutexValue)):
        keep_in(of)
        count = Counter("seen", "Seen", ["by"], registry=registry).labels("me")
        count.inc(2)
        up = Gauge("up", "Up", registry=registry, multiprocess_mode="livesum")
        up.set(3)
        up.dec()
        histogram(registry).labels("sign").observe(0.2)
    assert generate_latest(ours) == generate_latest(theirs)


def test_what_is_counted_in_place_stands_in_the_file_at_once(tmp_path):
    path = tmp_path / "counter_1.db"
    keep_in(in_files(lambda _: KeptCounts(str(path))))
    try:
        number = counted(Counter("seen", "Seen", ["by"]).labels("me"))
    finally:
        keep_in(InMemory)
    number.value += 2
    number.value += 3
    assert [value for _, value, *_ in KeptCounts.read_all_values_from_file(str(path))] == [5]


def test_messages_of_domains_that_are_not_named_are_counted_as_others():
    metrics = Metrics()
    for number in range(1_005):
        metrics.count("acme", f"d{number}.example", "forwarded")
    metrics.count("acme", "d0.example", "forwarded")
    text = metrics.text().decode()
    name = 'relay_messages_total{{domain="{}",outcome="forwarded",tenant="{}"}} {}'
    assert name.format("d0.example", "acme", "2.0") in text
    assert name.format("others", "others", "5.0") in text
