"""Every key that the relay writes, and the version of their layout.

Nothing else in the project spells a key. All keys of a domain share the hash tag
`{domain}`, so that one script may touch them on a cluster. What the values of the quota hold
is said in the headers of `lua/*.lua`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from relay.core.tenants.tenancy import RouteId

LAYOUT_VERSION: Final = "1"
"""What `wr1:layout` holds. A store with another one is refused, never converted silently."""

LAYOUT: Final = "wr1:layout"
"""String: the layout version."""

PROBE: Final = "wr1:probe"
"""String: nothing; written by who asks whether the store takes writes, and gone after PROBE_MS."""

PROBE_MS: Final = 1000

MOST_KEPT: Final = 1024
"""Domains and windows whose names are not spelled anew for each message; 1 kB each."""


TOKENS: Final = "wr1:{@web}:tokens"
"""Hash: id of a token of the HTTP API → JSON. "@" is in no domain, so the tag is ours alone."""

TOKENS_USED: Final = "wr1:{@web}:tokens-used"
"""Hash: id of a token → when it was last used, epoch ms, to some minutes."""

AUDIT: Final = "wr1:{@web}:audit"
"""Sorted set: entries of the audit log as JSON, scored by their instants in epoch ms."""

USERS: Final = "wr1:{@web}:users"
"""Hash: name of a user of the pages → JSON."""


DOMAINS: Final = "wr1:{@web}:domains"
"""Hash: name of a domain that was added over the API → JSON, its DKIM keys sealed."""

DOMAIN_MARKS: Final = "wr1:{@web}:domain-marks"
"""Hash: name of an added domain → a text that is new at each of its changes.

`LATEST` → one that is new at any change, and when a route is paused.
"""

LATEST: Final = "@"

DOMAIN_COUNTS: Final = "wr1:{@web}:domain-counts"
"""Hash: tenant → how many domains it has added."""


class Counted(NamedTuple):
    """The keys that a route is counted in, for one window."""

    route: str
    window: str
    slices: str
    days: str
    unheard: str
    sending_days: str
    qualified_days: str


@lru_cache(MOST_KEPT)
def counted(domain: str, upstream: str, label: str) -> Counted:
    """All of them, of the route of `domain` over `upstream`, for the window of that label.

    Spelled here once more: over many domains this is done for every message.
    """
    tag = f"wr1:{{{domain}}}"
    return Counted(
        *(f"{tag}:route:{upstream}", f"{tag}:window:{upstream}:{label}"),
        *(f"{tag}:slices:{upstream}", f"{tag}:days:{upstream}", f"{tag}:unheard"),
        *(f"{tag}:sending:{upstream}", f"{tag}:qualified:{upstream}"),
    )


@lru_cache(MOST_KEPT)
def read(domain: str, upstream: str, label: str) -> tuple[str, ...]:
    """Those of `counted` that are read to tell where the route stands."""
    found = counted(domain, upstream, label)
    return (*found[:3], *found[4:])


def route(route_id: RouteId) -> str:
    """Hash: what outlives windows (first send, lifetime, pause, graduation)."""
    return f"{_domain(route_id.domain)}:route:{route_id.upstream}"


def window(route_id: RouteId, label: str) -> str:
    """Hash: the counters of one window and the reservations in flight (`r:<id>`)."""
    return f"{_domain(route_id.domain)}:window:{route_id.upstream}:{label}"


def slices(route_id: RouteId) -> str:
    """Hash: the last days' charges by slice of at most 15 minutes, whatever the window."""
    return f"{_domain(route_id.domain)}:slices:{route_id.upstream}"


def days(route_id: RouteId) -> str:
    """Hash: proleptic ordinal of a day → sends on it, for about the last 400 of them."""
    return f"{_domain(route_id.domain)}:days:{route_id.upstream}"


def sending_days(route_id: RouteId) -> str:
    """Sorted set: the days (ordinals, which are the scores too) on which the route has sent."""
    return f"{_domain(route_id.domain)}:sending:{route_id.upstream}"


def qualified_days(route_id: RouteId) -> str:
    """Sorted set: as `sending_days`, the days on which it has sent enough of its cap."""
    return f"{_domain(route_id.domain)}:qualified:{route_id.upstream}"


def message(domain: str, fingerprint: str) -> str:
    """Hash: session → mark of an earlier attempt at one message (rule 3)."""
    return f"{_domain(domain)}:message:{fingerprint}"


def campaign(domain: str, digest: str) -> str:
    """Hash: the route that one campaign keeps to, and until when."""
    return f"{_domain(domain)}:campaign:{digest}"


def unheard(domain: str) -> str:
    """Sorted set: acceptances not seen to be heard of, scored by their expiry in epoch ms."""
    return f"{_domain(domain)}:unheard"


def unheard_member(fingerprint: str, session: str) -> str:
    """The member of `unheard` for one attempt at one message."""
    return f"{fingerprint}:{session}"


def instance(instance_id: str) -> str:
    """String: the last beat of one relay process; expires by itself."""
    return f"wr1:instance:{instance_id}"


def mx(domain: str) -> str:
    """String: where the mail of a recipient's domain goes; expires by itself, has no hash tag."""
    return f"wr1:mx:{domain}"


def answer(name: str) -> str:
    """String: an answer by Idempotency-Key, or that it is under way; expires by itself."""
    return f"wr1:answer:{name}"


def meter(name: str) -> str:
    """String: when somebody's rate is all there again, epoch us; expires by itself."""
    return f"wr1:meter:{name}"


def session(digest: str) -> str:
    """String: a session of the pages as JSON; expires by itself."""
    return f"wr1:session:{digest}"


def attempts(name: str) -> str:
    """Hash: attempts at a password in a row, and until when it is locked; expires by itself."""
    return f"wr1:attempts:{name}"


def recent(route_id: RouteId) -> str:
    """List: what happened to a route's mail lately, as JSON, the newest first; expires."""
    return f"{_domain(route_id.domain)}:recent:{route_id.upstream}"


def touch(key: str) -> str:
    """String: written where `key` lives, so that there is a write to wait for; expires soon."""
    tag, brace, _ = key.partition("}")
    return f"{tag}{brace}:touch" if brace else f"wr1:touch:{{{key}}}"


def tag_of(key: str) -> str:
    """The hash tag of a key of a domain: the domain."""
    return key.partition("{")[2].partition("}")[0]


def ending_of(key: str) -> str:
    """What comes behind the hash tag of a key of a domain: `of(tag_of(key), …)` is the key."""
    return key.partition("}:")[2]


def of(tag: str, ending: str) -> str:
    """The key with that hash tag and that ending."""
    return f"{_domain(tag)}:{ending}"


def counted_with(key: str) -> tuple[str, ...]:
    """Keys that are written in one step with `key`, if it is one of a route; they may not exist.

    Without its windows, whose labels nobody can tell.
    """
    kind, upstream = _kind_and_upstream(key)
    if kind not in {"route", "window", "slices", "days", "sending", "qualified"}:
        return ()
    found = RouteId(tag_of(key), upstream)
    return (
        *(route(found), slices(found), days(found)),
        *(sending_days(found), qualified_days(found), unheard(found.domain)),
    )


def is_route(key: str) -> bool:
    """Whether `key` is one that `route` gives."""
    return _kind_and_upstream(key)[0] == "route"


def is_slices(key: str) -> bool:
    """Whether `key` is one that `slices` gives."""
    return _kind_and_upstream(key)[0] == "slices"


def is_message(key: str) -> bool:
    """Whether `key` is one that `message` gives."""
    return _kind_and_upstream(key)[0] == "message"


def is_passing(key: str) -> bool:
    """Whether `key` is one that `touch` gives: it says nothing, and is gone in a moment."""
    return key == touch(key)


def _kind_and_upstream(key: str) -> tuple[str, str]:
    kind, _, rest = key.partition("}:")[2].partition(":")
    return kind, rest.partition(":")[0]


@lru_cache(MOST_KEPT)
def _domain(domain: str) -> str:
    return f"wr1:{{{domain}}}"
