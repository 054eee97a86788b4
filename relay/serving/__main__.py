"""`python -m relay.serving`: the processes that serve, without what reads configs and commands.

The command line becomes such a process (`serve`), which starts more of them (`worker`, `front`).
A schema, a parser of YAML and the commands would stay in memory for as long as it lives: configs
are read by a process apart, which ends (`settings/apart`). Each role imports only its own part.
Not for people: what they type is `cli/serve.py`.
"""

from __future__ import annotations

if __name__ == "__main__":
    from relay.thrift import resting as _resting  # noqa: F401  until `_run`

# isort: split
from relay.telemetry import lean as _lean  # noqa: F401  before structlog is imported

# isort: split
import gc
import os
import pickle
import socket
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from relay.clock import clock_for
from relay.processes.inside import die_with_parent, is_orphan, read_order, say_failed, say_ready
from relay.processes.loop import run
from relay.processes.secrecy import keep_memory_private
from relay.settings.apart.reader import ApartReader, ReadingFailed
from relay.settings.live import LiveSettings
from relay.settings.problems import ConfigProblems
from relay.telemetry.logs import name_process, set_up_logs
from relay.telemetry.shared import share_values

if TYPE_CHECKING:
    from relay.seat import Order
    from relay.web_process.front import FrontOrder


def serve(config: str, workers: str, clock: str = "") -> None:
    """Be the relay of `config`, or its supervisor; `workers` is "" for what the config says."""
    keep_memory_private()
    settings = _settings(Path(config))
    from relay.lifecycle import CannotServe, serve  # noqa: PLC0415  # not for the web process
    from relay.serving.supervisor import supervise  # noqa: PLC0415  # as above

    set_up_logs(settings.config.log)
    count = int(workers or settings.config.workers)
    now = clock_for(Path(clock) if clock else None)
    try:
        _run(supervise(settings, now, count) if count > 1 else serve(settings, now))
    except CannotServe as error:
        _fail(str(error))


def worker(number: str) -> None:
    """Be a worker of the supervisor that started this process."""
    order: Order = pickle.loads(_order())  # noqa: S301 - our own parent's pipe  # nosec B301
    _begin(order.supervisor, f"worker {number}")
    from relay.lifecycle import CannotServe, serve_seat  # noqa: PLC0415  # not for the web process

    reader = ApartReader()
    loaded = reader.take(iter(order.config))
    set_up_logs(loaded.config.log)
    seat, clock = order.seat, order.clock
    del order  # its config is large, and read
    share_values(seat.metrics, seat.number)
    settings = LiveSettings(loaded.config, os.environ, reader, loaded.seen, is_loud=False)
    try:
        _run(serve_seat(settings, clock_for(clock), seat, say_ready))
    except CannotServe as error:
        say_failed(str(error))
        sys.exit(1)


def front(descriptor: str) -> None:
    """Be the web process of the relay that started this one, on its socket `descriptor`."""
    order: FrontOrder = pickle.loads(_order())  # noqa: S301 - as above  # nosec B301
    from relay.settings.apart.here import ReaderHere  # noqa: PLC0415  # the pages need a schema anyway
    from relay.web_process.front import NAME, NUMBER  # noqa: PLC0415  # only here
    from relay.web_process.process import CannotServeWeb, KeptBy, serve_web  # noqa: PLC0415  # FastAPI

    _begin(order.parent, NAME)
    apart = ApartReader()
    loaded, reader = apart.take(iter(order.config)), ReaderHere(apart)
    set_up_logs(loaded.config.log)
    kept, clock = KeptBy(order.ops, order.beat, say_ready), order.clock
    share_values(order.metrics, NUMBER)
    del order  # as above
    settings = LiveSettings(loaded.config, os.environ, reader, loaded.seen, is_loud=False)
    bound = socket.socket(fileno=int(descriptor))
    try:
        _run(serve_web(settings, clock_for(clock), bound, kept))
    except CannotServeWeb as error:
        say_failed(str(error))
        sys.exit(1)


def _settings(path: Path) -> LiveSettings:
    try:
        return LiveSettings.of(path, os.environ)
    except ConfigProblems as found:
        for problem in found.problems:
            print(problem, file=sys.stderr)  # noqa: T201  # for people, at the start
        sys.exit(1)
    except ReadingFailed:
        _fail(f"{path} could not be read: its reading took too long, or was ended")


def _run(work: Coroutine[Any, Any, None]) -> None:
    gc.enable()
    run(work)


def _order() -> bytes:
    die_with_parent()
    keep_memory_private()
    told = read_order()
    if not told:
        _fail("workers and the web process are started by `serve`, not by hand")
    return told


def _begin(parent: int, name: str) -> None:
    if is_orphan(parent):
        _fail(f"the relay died while its {name} process began")
    name_process(name)


def _fail(text: str) -> NoReturn:
    print(f"warmup-relay: {text}", file=sys.stderr)  # noqa: T201  # as above
    sys.exit(1)


ROLES = {role.__name__: role for role in (serve, worker, front)}

if __name__ == "__main__":
    try:
        ROLES[sys.argv[1]](*sys.argv[2:])
    except KeyboardInterrupt:
        sys.exit(130)  # as a shell has it; before the relay handles the signal itself
