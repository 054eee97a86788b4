"""What keeps a store from being used at all: raised at start-up, for people to read.

Never reaches a mail client: while the relay runs, every failure of the store is
`core.errors.StoreTrouble`.
"""

from __future__ import annotations


class StoreUnusable(Exception):
    """The store cannot be used, and waiting does not cure it. The text says what would."""


class NoServerBinary(StoreUnusable):
    """There is no server program for the embedded store on this machine."""


class SecondOwner(StoreUnusable):
    """Another relay process owns the data directory. `pid` is that process, 0 if not known."""

    def __init__(self, text: str, pid: int) -> None:
        super().__init__(text)
        self.pid = pid


class WrongLayout(StoreUnusable):
    """The store holds data in a layout that this version does not read."""
