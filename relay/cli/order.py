"""The routes of a domain in their order, and which of them would take one more message now."""

from __future__ import annotations

from dataclasses import dataclass

from relay.core.mail.classify import DEFAULT_CLASS
from relay.core.policy.policy import MailClass
from relay.core.quota.reservation import Split, Wall, wall_before
from relay.core.quota.wording import deferral_text
from relay.core.status.report import Status
from relay.transaction.verdicts import refusal_by


@dataclass(frozen=True, slots=True)
class Order:
    """The routes that may take a message to one recipient, whose provider `split` names.

    `mail_class` is that of a message which names none.
    """

    walk: tuple[Status, ...]
    split: Split = ()
    mail_class: MailClass = DEFAULT_CLASS

    def pairs(self) -> list[tuple[Status, Wall | None]]:
        """Each route with what is in the way on it; None on one that has room."""
        return [
            (one, wall_before(one.route, one.window, one.standing, 1, self.split, self.mail_class))
            for one in self.walk
        ]

    def taker(self) -> Status | None:
        """The first route that has room."""
        return next((one for one, wall in self.pairs() if wall is None), None)

    def refusal(self) -> str | None:
        """What the message would hear; None where a route takes it."""
        walls = [wall for _, wall in self.pairs() if wall is not None]
        return str(refusal_by(walls)) if len(walls) == len(self.walk) else None

    def lines(self) -> list[str]:
        """A sentence for each route, in order."""
        return [
            f"{number}. {one.route.name} over {one.route.id.upstream}: {_says(wall)}"
            for number, (one, wall) in enumerate(self.pairs(), 1)
        ]


def _says(wall: Wall | None) -> str:
    if wall is None:
        return "has room"
    whose = f"{wall.provider}: " if wall.provider else ""
    return whose + deferral_text(wall).partition(": ")[2]
