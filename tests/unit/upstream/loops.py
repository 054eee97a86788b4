"""Running a test on asyncio's own event loop and on uvloop, whose transports differ."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

FACTORIES = {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}


def on_both_loops(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """The coroutine `test` as two plain tests."""

    def run(loop: str, **given: Any) -> None:
        with asyncio.Runner(loop_factory=FACTORIES[loop]) as runner:
            runner.run(test(**given))

    run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
    names = [*inspect.signature(test).parameters.values()]
    loop = inspect.Parameter("loop", inspect.Parameter.KEYWORD_ONLY)
    run.__signature__ = inspect.Signature([*names, loop])  # type: ignore[attr-defined]
    run.pytestmark = [  # type: ignore[attr-defined]
        *getattr(test, "pytestmark", []),
        pytest.mark.parametrize("loop", list(FACTORIES)).mark,
    ]
    return run
