"""A deadline that a client lets pass: told apart from every other timeout.

Knows nothing of what is waited for.
"""

from __future__ import annotations

import asyncio
from types import TracebackType


class TooSlow(Exception):
    """The client let a deadline pass."""


class within:  # noqa: N801 - reads as the function it stands for, at half its cost
    """`asyncio.timeout`, which raises TooSlow."""

    __slots__ = ("_timeout",)

    def __init__(self, seconds: float) -> None:
        self._timeout = asyncio.timeout(seconds)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError:
            raise TooSlow from None
