"""`--mix google=50%,other=50%`: whose mailboxes the mail of a plan goes to."""

from __future__ import annotations

from collections.abc import Collection

from relay.core.plan.mix import Mix
from relay.core.policy.limits import WHOLE_PPM, percent_text
from relay.core.providers import OTHER
from relay.settings.percent import parse_percent
from relay.settings.problems import Wrong, nearest, shown


def parse_mix(text: str, known: Collection[str]) -> Mix:
    """The mix in `text`; what is missing to 100 % is `other`. Raises Wrong."""
    found: dict[str, int] = {}
    for part in text.split(","):
        name, is_share, share = (each.strip() for each in part.partition("="))
        if not is_share:
            raise Wrong(f"{shown(part)} is no share", "write for example google=50%,other=50%")
        if name not in known:
            listed = f"known: {', '.join(sorted(known)[:20])}, …"
            raise Wrong(f"unknown provider {shown(name)}", nearest(name, known) or listed)
        if name in found:
            raise Wrong(f"{shown(name)} stands twice")
        found[name] = parse_percent(share)
    rest = WHOLE_PPM - sum(found.values())
    if rest < 0:
        raise Wrong(f"the shares come to {percent_text(WHOLE_PPM - rest)}")
    return found if not rest else {**found, OTHER: found.get(OTHER, 0) + rest}
