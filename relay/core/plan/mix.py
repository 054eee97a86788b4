"""Whose mailboxes a day's mail goes to: its recipients by provider.

Owns shares and how they divide whole messages. Where a mix is written (an option, a CSV) is
the command line's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from relay.core.policy.limits import WHOLE_PPM, percent_text
from relay.core.policy.policy import Policy
from relay.core.providers import OTHER

Mix = Mapping[str, int]
"""Provider → its share of every day's mail, in parts of a million; together all of it."""

Mail = Mapping[str, int]
"""Provider → sends of one day."""

ANYONE: Final = ""
"""In `Mail`: whoever; mail that no provider's wall concerns."""

USUAL: Final[Mix] = {
    "google": 450_000,
    "microsoft": 200_000,
    "yahoo": 150_000,
    "apple": 50_000,
    OTHER: 150_000,
}
"""An assumption, no measurement: a consumer list, for policies with walls per provider."""


def mix_for(policy: Policy, mix: Mix | None) -> Mix | None:
    """`mix`, or the usual one where the policy has walls per provider; None where none matters."""
    if mix is not None or not policy.providers:
        return mix
    return USUAL


def mixed(volumes: Sequence[int], mix: Mix | None) -> list[Mail]:
    """Each of `volumes` by provider; of ANYONE where there is no mix."""
    if mix is None:
        return [{ANYONE: volume} for volume in volumes]
    return [divided(volume, mix) for volume in volumes]


def divided(volume: int, mix: Mix) -> dict[str, int]:
    """`volume` by the shares of `mix`; what rounding leaves goes where most was cut off.

    Of two that lost as much the first in the alphabet gets it.
    """
    exact = {name: volume * ppm for name, ppm in mix.items()}
    found = {name: share // WHOLE_PPM for name, share in exact.items()}
    by_loss = sorted(mix, key=lambda name: (-(exact[name] % WHOLE_PPM), name))
    for name in by_loss[: volume - sum(found.values())]:
        found[name] += 1
    return found


def mix_shares(mix: Mix) -> dict[str, str]:
    """A mix as text: provider → percent."""
    return {name: percent_text(ppm) for name, ppm in sorted(mix.items())}
