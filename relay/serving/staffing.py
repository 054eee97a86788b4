"""The workers of a supervisor as processes to keep: their commands, orders and seats."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from typing import Final

from relay.clock import AnyClock, FileClock
from relay.core.config import Listener
from relay.processes.child import ChildSpec
from relay.processes.itself import command, importing_this_package
from relay.processes.quarters import Quarters
from relay.seat import Order, Seat
from relay.settings.apart.handing import handed
from relay.settings.live import LiveSettings
from relay.telemetry.shared import forget_gauges
from relay.web.asking import NoAnswer, asked

ANSWER_S: Final = 10.0
"""A worker that takes longer to say that it lives, several times in a row, hangs."""


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

    async def order() -> bytes:
        config = await handed(replace(settings.base, listeners=listeners), settings.seen)
        return pickle.dumps(Order(os.getpid(), config, seat, file))

    def buried(_name: str) -> None:
        forget_gauges(seat.metrics, seat.number)

    async def answers() -> bool:
        try:
            await asked(f"unix:{seat.ops}", "/healthz", ANSWER_S)
        except NoAnswer as error:  # only silence tells of a loop that does not turn
            return not isinstance(error.__cause__, TimeoutError)
        return True

    words = command("worker", str(seat.number))
    return ChildSpec(name, words, order, buried, importing_this_package(), answers=answers)
