"""Waiting for something to become true, never longer than said."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class TookTooLong(AssertionError):
    """What was waited for did not come."""


def until(
    probe: Callable[[], T],
    what: str,
    *,
    timeout_s: float = 10.0,
    every_s: float = 0.05,
    detail: Callable[[], str] = lambda: "",
) -> T:
    """The first true answer of `probe`. Raises TookTooLong, with `detail()`, after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TookTooLong(f"waited {timeout_s:g} s for {what}\n{detail()}")
        time.sleep(every_s)
