"""A scripted upstream that cuts its clients off at random verbs, and what it then knows.

Beside the ledger of what it took it counts what it may have cost: a message that it cut off
after the relay had handed it over, and did not take, stays charged (unknown is charged).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from tests.harness.letters import by_provider
from tests.harness.smtp_ledger import Received
from tests.harness.smtp_script import Act, Script, Then

VERBS = frozenset(["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "BODY", "DOT", "RSET"])


class Cutting(Script):
    """Cuts the connection at any verb with the chance `rate`.

    Three times as often after the final dot, having taken the message or not. Otherwise it answers the final dot within `slowest_s`. `cuts` counts by verb.
    """

    def __init__(self, dice: random.Random, rate: float = 0.0, slowest_s: float = 0.03) -> None:
        super().__init__()
        self.rate = rate
        self.cuts: Counter[str] = Counter()
        self._slowest_s = slowest_s
        self._dice = dice

    def due(self, verb: str, line: bytes = b"") -> Act:
        """See `Script`."""
        if verb in VERBS and self._dice.random() < self.rate * (3 if verb == "DOT" else 1):
            return self._cut(verb)
        if verb == "DOT" and self._slowest_s:
            return Act(delay_s=self._dice.uniform(0, self._slowest_s))
        return super().due(verb, line)

    def _cut(self, verb: str) -> Act:
        self.cuts[verb] += 1
        then = self._dice.choice((Then.RESET, Then.CLOSE))
        take = self._dice.random() < 0.5 if verb == "DOT" else None
        return Act(b"", then, take=take)


def sends(messages: Sequence[Received]) -> Counter[str]:
    """How many recipients of `messages` each provider has."""
    return by_provider(name for message in messages for name in message.rcpts)


def copies(messages: Sequence[Received]) -> dict[str, list[Received]]:
    """The messages by Message-ID, without angle brackets."""
    found: dict[str, list[Received]] = {}
    for message in messages:
        found.setdefault((message.message_id or "").strip("<>"), []).append(message)
    return found
