"""What the senders know: every letter, what they heard of it, and what a kill caught.

The book of the one end; `smtp_ledger.py` is that of the other. Knows nothing of sockets.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count

PROVIDERS = {"gmail.com": "google", "outlook.com": "microsoft", "yahoo.com": "yahoo"}
"""The recipients' domains, and what the relay calls them."""

LOOSE_S = 10.0
"""How long a relay may still be at work for a client that left after the final dot."""


def by_provider(addresses: Iterable[str]) -> Counter[str]:
    """How many of `addresses` each provider has."""
    return Counter(PROVIDERS[address.rpartition("@")[2]] for address in addresses)


@dataclass(slots=True, eq=False)
class Letter:
    """One message. `name` is its Message-ID, `number` its sequence number.

    `heard` is a 250; `is_deferred` that the last thing heard was a wall; `caught` how often a
    relay was killed while it may have been at work on it.
    """

    number: int
    name: str
    recipients: tuple[str, ...]
    heard: bool = False
    is_deferred: bool = False
    caught: int = 0
    tries: int = 0


@dataclass(slots=True)
class _Attempt:
    letter: Letter
    loose_since: float | None = None


@dataclass
class Book:
    """All letters, and the attempts under way by relay: from the final dot to the answer."""

    domain: str
    tag: str
    letters: dict[str, Letter] = field(default_factory=dict)
    retried: int = 0
    torn: int = 0
    replies: Counter[str] = field(default_factory=Counter)
    _under_way: dict[int, dict[int, _Attempt]] = field(default_factory=dict)
    _attempts: count[int] = field(default_factory=count)

    def write(self, recipients: tuple[str, ...]) -> Letter:
        """A new letter."""
        number = len(self.letters) + 1
        letter = Letter(number, f"{self.tag}-{number:06d}@{self.domain}", recipients)
        self.letters[letter.name] = letter
        return letter

    def hand_in(self, relay: int, letter: Letter) -> int:
        """The final dot of `letter` goes out to `relay` now; the number of the attempt."""
        attempt = next(self._attempts)
        self._under_way.setdefault(relay, {})[attempt] = _Attempt(letter)
        return attempt

    def answered(self, relay: int, attempt: int) -> None:
        """The attempt is over: an answer came, or the relay's end was seen."""
        self._under_way[relay].pop(attempt, None)

    def left(self, relay: int, attempt: int) -> None:
        """The client has left without an answer; the relay may be at work for a while."""
        if found := self._under_way[relay].get(attempt):
            found.loose_since = time.monotonic()

    def killed(self, relay: int) -> list[Letter]:
        """`relay` is dead as of now: the letters it may have been at work on."""
        attempts = self._under_way.pop(relay, {}).values()
        self._under_way[relay] = {}
        caught = [a.letter for a in attempts if not _is_over(a)]
        for letter in caught:
            letter.caught += 1
        return caught

    @property
    def heard(self) -> set[str]:
        """The Message-IDs that were answered 250."""
        return {letter.name for letter in self.letters.values() if letter.heard}

    @property
    def open(self) -> list[Letter]:
        """Neither taken nor deferred as far as their senders know."""
        return [a for a in self.letters.values() if not (a.heard or a.is_deferred)]


def _is_over(attempt: _Attempt) -> bool:
    since = attempt.loose_since
    return since is not None and time.monotonic() - since > LOOSE_S
