"""Both ends and the store held against each other: what must be so when all is quiet.

Rule 1 (never over a cap; what is unused was in flight at a kill or cut off by the upstream),
rule 2 (a 250 is in the upstream's ledger), rule 3 (a second copy only where nobody could know).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.harness.letters import Book, Letter, by_provider
from tests.harness.smtp_ledger import Received
from tests.harness.witness import copies, sends


@dataclass(frozen=True, slots=True)
class Day:
    """One day that is over, and quiet. `limits` are the providers' caps.

    `taken`, `dropped` and `caught`: what the upstream took, what it cut off untaken, and what
    was under way in relays when they were killed.
    """

    cap: int
    limits: Mapping[str, int]
    taken: Sequence[Received]
    dropped: Sequence[Received]
    caught: Sequence[Letter]
    status: Mapping[str, Any]

    @property
    def sends(self) -> Counter[str]:
        """What the upstream took, by provider."""
        return sends(self.taken)

    @property
    def cut_off(self) -> Counter[str]:
        """What the upstream did not take without saying so, by provider: it stays charged."""
        return sends(self.dropped)

    @property
    def in_flight(self) -> Counter[str]:
        """What was under way at kills, by provider: it stays charged, whether sent or not."""
        return by_provider(name for letter in self.caught for name in letter.recipients)

    @property
    def unused(self) -> int:
        """How much of the cap did not reach the upstream."""
        return self.cap - self.sends.total()

    @property
    def surely_charged(self) -> Counter[str]:
        """What was sent, or handed over whole and never answered: none of it may come back."""
        return self.sends + sends([message for message in self.dropped if message.is_cut])

    def check(self, seed: str) -> None:
        """Raise AssertionError, naming `seed`, unless every cap held and was used up."""
        self._check_one(seed, "domain", None, self.cap)
        for provider, limit in self.limits.items():
            self._check_one(seed, "provider", provider, limit)

    def _check_one(self, seed: str, wall: str, provider: str | None, cap: int) -> None:
        sent, sure, risk = (
            counts.total() if provider is None else counts[provider]
            for counts in (self.sends, self.surely_charged, self.cut_off + self.in_flight)
        )
        told = next(
            each
            for each in self.status["walls"]
            if (each["wall"], each["provider"]) == (wall, provider)
        )
        facts = f"{seed}: {provider or 'route'}: cap {cap}, sent {sent}, at risk {risk}, {told}"
        assert sent <= cap, f"over the cap: {facts}"
        assert told["limit"] == cap >= told["used"], f"more charged than may be: {facts}"
        assert told["used"] >= sure, f"charged less than the {sure} handed over: {facts}"
        assert told["used"] == cap, f"a wall before the cap: {facts}"
        assert cap - sent <= risk, f"more unused than was in flight: {facts}"


@dataclass(slots=True)
class Figures:
    """The sums of a run, for `docs/reliability.md`."""

    days: int = 0
    sends: int = 0
    caps: int = 0
    unused: int = 0
    cut_off: int = 0
    in_flight: int = 0
    most_unused: int = 0

    def add(self, day: Day) -> None:
        """Count `day` in."""
        self.days += 1
        self.sends += day.sends.total()
        self.caps += day.cap
        self.unused += day.unused
        self.cut_off += day.cut_off.total()
        self.in_flight += day.in_flight.total()
        self.most_unused = max(self.most_unused, day.unused)


def check_letters(book: Book, messages: Sequence[Received], seed: str) -> int:
    """Raise AssertionError unless the ends agree on every letter; the number of second copies."""
    by_name = copies(messages)
    missing = book.heard - by_name.keys()
    assert not missing, f"{seed}: 250 without a message upstream: {sorted(missing)[:5]}"
    assert by_name.keys() <= book.letters.keys(), f"{seed}: sent what nobody wrote"
    for name, found in by_name.items():
        letter = book.letters[name]
        wrong = [m.rcpts for m in found if tuple(m.rcpts) != letter.recipients]
        assert not wrong, f"{seed}: {letter} was sent to {wrong}"
        _check_copies(letter, found, seed)
    return sum(len(found) - 1 for found in by_name.values())


def _check_copies(letter: Letter, found: Sequence[Received], seed: str) -> None:
    """RFC 1047: a copy more for each time that the acceptance could not be noted."""
    unknown = letter.caught + sum(message.is_cut for message in found)
    assert len(found) - 1 <= unknown, f"{seed}: {len(found)} copies of {letter}, {unknown} unknown"


def check_quiet(day: Day, book: Book, messages: Sequence[Received], seed: str) -> None:
    """`day.check`, `check_letters`, and that the store has noted each acceptance once.

    The last is what makes second copies none where the relay could note the acceptance: a
    letter that was noted and sent again would be noted twice.
    """
    day.check(seed)
    check_letters(book, messages, seed)
    assert not book.open, f"{seed}: nobody knows of {book.open[:5]}"
    assert book.replies["silence"] == 0, f"{seed}: clients were kept waiting"
    noted, heard = day.status["lifetime_sends"], _heard_sends(book.letters.values())
    assert noted == heard, f"{seed}: {noted} sends noted, {heard} heard of"


def _heard_sends(letters: Iterable[Letter]) -> int:
    return sum(len(letter.recipients) for letter in letters if letter.heard)
