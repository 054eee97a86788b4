"""Fixtures for every room: things that are started, and ended whatever happens."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings

from tests.harness.certs import Authority
from tests.harness.clock import MovableClock
from tests.harness.dns import DnsThread
from tests.harness.exim import Exim
from tests.harness.postfix import Postfix
from tests.harness.relay_config import RelayConfig
from tests.harness.relay_process import RelayProcess
from tests.harness.store import StoreServer
from tests.harness.upstream import SinkProcess, SinkThread

MakeRelay = Callable[..., RelayProcess]
MakeSink = Callable[..., SinkProcess]
MakeStore = Callable[..., StoreServer]
MakePostfix = Callable[..., Postfix]
MakeExim = Callable[..., Exim]


# How long an example takes says more of the machine than of the code; loops are bounded anyway.
# `make test` tries the same examples every time, `make test-all` new ones.
hypothesis_settings.register_profile("same", deadline=None, derandomize=True, max_examples=60)
hypothesis_settings.register_profile("new", deadline=None)
EXAMPLES = os.environ.get("EXAMPLES", "same")
hypothesis_settings.load_profile(EXAMPLES)


SLOW_S = 900
"""What a slow test may take that does not say it itself, on a machine that is busy as well."""


def pytest_collection() -> None:
    """Python's collector rests while all tests are loaded, as in the relay's own start."""
    gc.disable()


def pytest_collection_finish() -> None:
    """What was loaded stays, and is not looked through again."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A slow test has a deadline of its own, and so has one of more examples than usual."""
    for item in items:
        if _is_long(item) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_S))


def _is_long(item: pytest.Item) -> bool:
    of_examples = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
    return item.get_closest_marker("slow") is not None or (of_examples and EXAMPLES == "new")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Show the log of every relay of a failed test."""
    report = yield
    if report.failed:
        for relay in getattr(item, "relays", []):
            report.sections.append((f"log of the relay in {relay.home}", relay.log_tail()))
    return report


@pytest.fixture
def endings() -> Iterator[ExitStack]:
    """Ends what a test started, the newest first."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def dns(endings: ExitStack) -> DnsThread:
    """A DNS server that knows no name yet."""
    made = DnsThread()
    endings.callback(made.end)
    return made


@pytest.fixture
def make_relay(request: pytest.FixtureRequest, tmp_path: Path, endings: ExitStack) -> MakeRelay:
    """`make_relay(name=…, clock=…, **config)`: a relay that is not started yet."""
    relays: list[RelayProcess] = []
    request.node.relays = relays

    def make(name: str = "relay", clock: MovableClock | None = None, **config: Any) -> RelayProcess:
        made = RelayProcess(tmp_path / name, RelayConfig(**config), clock)
        endings.callback(made.end)
        relays.append(made)
        return made

    return make


@pytest.fixture
def make_store(endings: ExitStack) -> MakeStore:
    """`make_store(…)`: an external store, running."""

    def make(**options: Any) -> StoreServer:
        server = StoreServer(**options)
        endings.callback(server.close)
        return server.start()

    return make


@pytest.fixture
def make_postfix(endings: ExitStack) -> MakePostfix:
    """`make_postfix(relay_port, …)`: a Postfix, running."""

    def make(relay_port: int, **options: Any) -> Postfix:
        instance = Postfix(relay_port, **options)
        endings.callback(instance.stop)
        return instance.start()

    return make


@pytest.fixture
def make_exim(endings: ExitStack) -> MakeExim:
    """`make_exim(relay_port, …)`: an Exim with an empty queue."""

    def make(relay_port: int, **options: Any) -> Exim:
        instance = Exim(relay_port, **options)
        endings.callback(instance.end)
        return instance

    return make


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A certificate authority of the test's own."""
    return Authority(tmp_path / "certs")


@pytest.fixture
def make_sink(tmp_path: Path, endings: ExitStack) -> MakeSink:
    """`make_sink(*acts)`: an SMTP upstream in a process of its own, for load."""

    def make(*acts: str) -> SinkProcess:
        sink = SinkProcess(tmp_path / "sink", *acts)
        endings.callback(sink.end)
        return sink

    return make


@pytest.fixture
def sink(endings: ExitStack) -> SinkThread:
    """An SMTP upstream that the test can script while it serves."""
    made = SinkThread()
    endings.callback(made.end)
    return made
