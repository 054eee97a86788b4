"""The workers of a supervisor as processes to keep: their commands, orders and seats."""

from __future__ import annotations

import os
import pickle
import sys
from dataclasses import replace
from pathlib import Path

import relay
from relay.clock import AnyClock, FileClock
from relay.core.config import Listener
from relay.processes.child import ChildSpec
from relay.quarters import Quarters
from relay.seat import Order, Seat
from relay.settings.live import LiveSettings
from relay.telemetry.shared import forget_gauges


def seats(quarters: Quarters, count: int, store_url: str | None) -> dict[str, Seat]:
    """Each worker's name and seat."""
    return {
        f"worker {number}": Seat(number, count, store_url, quarters.ops(number), quarters.metrics)
        for number in range(1, count + 1)
    }


def worker(
    name: str, seat: Seat, settings: LiveSettings, listeners: tuple[Listener, ...], clock: AnyClock
) -> ChildSpec:
    """The worker at `seat`; at every start it gets the config that is in force by then."""
    file = clock.path.resolve() if isinstance(clock, FileClock) else None

    def order() -> bytes:
        config = replace(settings.config, listeners=listeners)
        return pickle.dumps(Order(os.getpid(), config, seat, file))

    def buried(_name: str) -> None:
        forget_gauges(seat.metrics, seat.number)

    command = (sys.executable, "-P", "-m", "relay", "worker", str(seat.number))
    return ChildSpec(name, command, order, buried, _importing_this_package())


def _importing_this_package() -> dict[str, str]:
    """Wherever the process was started; -P keeps out what lies in its directory."""
    root = str(Path(relay.__file__).resolve().parents[1])
    before = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join([root, before] if before else [root])}
