"""The Protocols between rooms: what each promises the others.

Every promise is about four things: atomicity (what others can see half done), idempotency
(what may be called twice), cancellation (what a cancelled caller leaves behind) and failure
(what is raised, and what is then certain). `app.py` decides who implements them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from relay.core.mail.message import Classified
from relay.core.policy.window import Window
from relay.core.providers import MxFinding, ProviderAnswer
from relay.core.quota.history import Past
from relay.core.quota.reservation import Answer, Demand, Mark, Part, Reservation, Standing, Verdict
from relay.core.tenants.tenancy import Directory, Route, RouteId


class Clock(Protocol):
    """The only source of *now*; injected, so that tests and demonstrations can move it."""

    def now(self) -> datetime:
        """The current instant, aware, in UTC. Never fails."""


class Settings(Protocol):
    """The config in force."""

    @property
    def directory(self) -> Directory:
        """Tenants, domains, routes and policies; replaced whole by a reload, never changed."""


class QuotaStore(Protocol):
    """Exact counters, shared by every relay on the store. Raises StoreTrouble, nothing else.

    Every verb is one atomic step in the store. All have a deadline of their own; after
    StoreTrouble from `reserve` the charge may stand (rule 1: unknown is charged).
    """

    async def reserve(self, demand: Demand, *, anew: bool = False) -> Answer:
        """Charge `demand.count`, all or nothing, unless a wall is in the way.

        Earlier attempts at the same message (rule 3) are reported instead, and nothing is
        charged, unless `anew` says that this is a mail of its own. Where another process has an
        attempt under way, or taken, it gets a moment to tell that its client is gone, which makes
        this a retry. A campaign is charged over one route only: the first charge that stands
        fixes it. Never retried: calling it twice charges twice. A cancelled call may have charged.
        What is granted outlives every process; `lasts` has to return before anything is forwarded.
        """

    async def lasts(self, reservation: Reservation) -> None:
        """Wait until the charge of `reservation`, just granted, outlives a power cut too.

        After StoreTrouble it may not; nothing may be forwarded, and it may be given back.
        """

    async def divide(self, whole: Reservation, parts: Sequence[Part]) -> list[Reservation]:
        """`whole`, in flight, as `parts` that are settled each on its own; they must be all of it.

        Charges nothing and gives nothing back. Never retried. After StoreTrouble either the
        whole or all of the parts are in flight: settling what is not there changes nothing.
        """

    def says_at_once(self) -> bool:
        """Whether a `settle` that is called now goes out in the next turn of the loop."""

    async def settle(self, reservation: Reservation, verdict: Verdict, now: datetime) -> None:
        """Record what became of `reservation`, before the client hears of it.

        Where it `says_at_once`, that it was sent is enough. SENT starts the clock (first send),
        counts towards the lifetime and, where there is a fingerprint, remembers the acceptance as
        TAKEN until `heard`. REFUND gives the charge back to its own window; a campaign of which
        every charge was given back may take any route again. Idempotent: the second call changes
        nothing.
        """

    async def left(self, reservation: Reservation) -> None:
        """The client's connection was lost before it heard an answer. Idempotent.

        Before SENT is settled this marks the attempt LEFT, for a bounded time; after it, GONE.
        Does nothing where there is no fingerprint.
        """

    async def heard(self, reservation: Reservation) -> None:
        """The client was seen to hear of the acceptance: forget it. Idempotent."""

    async def attempts(
        self, domain: str, fingerprints: Sequence[str], session: str, now: datetime
    ) -> list[dict[str, Mark]]:
        """Earlier attempts at each of these messages of `domain`, as session → mark.

        For messages whose quota is reserved before they are known (rule 3): `session` is at
        them from now on, until they are settled with their fingerprints. "": looks only.
        Waits for other processes as `reserve` does.
        """

    async def standing(self, route: Route, window: Window) -> Standing:
        """The route as it stands. Reads only."""

    async def standings(self, wanted: list[tuple[Route, Window]]) -> list[Standing]:
        """Many at once, in the order asked for. Reads only; not one instant for all."""

    async def start(self, route: RouteId, now: datetime) -> bool:
        """Note that the warm-up was asked for; the ramp's clock waits for the first send.

        False if it was noted since the last restart, or if the route has sent.
        """

    async def pause(self, route: RouteId, reason: str, now: datetime) -> bool:
        """No more reservations until `resume`. False if it was paused already."""

    async def resume(self, route: RouteId) -> bool:
        """Undo `pause`. False if it was not paused."""

    async def graduate(self, route: RouteId, now: datetime) -> bool:
        """No cap from now on. False if it had graduated already."""

    async def restart(self, route: RouteId) -> bool:
        """Back to `pending`: the first send, lifetime and graduation are forgotten.

        What was sent in the current window stays counted. False if there was nothing to undo.
        """

    async def adopt(
        self, route: Route, past: Past, now: datetime, *, replaces: bool, dry: bool
    ) -> Standing | None:
        """Give `route` a past that was not counted here: the standing with it.

        None, and nothing is changed, where the route has sent already and `replaces` is false.
        With it, days, lifetime and graduation become those of the past; no charge is ever given
        back, and a recent day is counted as what the past says or what was settled of it,
        whichever is more. `dry`: nothing is written. Idempotent with `replaces`.
        """


class Instances(Protocol):
    """Which relay processes live (rule 3 asks it of the one that noted an acceptance)."""

    @property
    def own(self) -> str:
        """The id of this process, new at each start; session ids begin with it and a dot."""

    async def is_alive(self, instance: str) -> bool:
        """Whether `instance` is alive *now*: waits until it is seen to beat, or has missed it.

        May take a few seconds for an instance that was killed. Raises StoreTrouble.
        """


class Providers(Protocol):
    """Which mailbox provider stands behind a recipient's domain."""

    async def of(self, domains: Collection[str]) -> dict[str, str]:
        """The provider of each of `domains`; `other` where it is nobody's or not known yet.

        Never raises but for cancellation, and never waits for the DNS: a domain that nobody
        knows yet is asked about in the background, and the answer used from then on. Costs at
        most one round trip to the store, with a deadline of some 50 ms.
        """

    async def explain(self, domain: str) -> ProviderAnswer:
        """What `of` says of `domain` and why, for people: asks the DNS now if need be.

        Ends within the deadline of a query and the store's own. Never raises but for
        cancellation.
        """


class ProviderCache(Protocol):
    """What the DNS said of domains, shared by every relay on the store.

    Forgetful by design: what is lost is asked for again. Has a deadline of its own. Raises
    StoreTrouble, nothing else.
    """

    async def get(self, domains: Sequence[str]) -> dict[str, MxFinding]:
        """Those of `domains` (normalised) that are remembered. One round trip.

        `ttl_s` is what is left of it; not above 0, it is stale and fit to serve until a newer
        one comes.
        """

    async def put(self, domain: str, finding: MxFinding) -> None:
        """Remember `finding`, a known one, for its `ttl_s` (and a while as stale). Idempotent."""


class Signer(Protocol):
    """DKIM."""

    async def sign(self, message: Classified, head: bytes, body: memoryview) -> bytes:
        """The DKIM-Signature fields for `head` + `body`, each ending in CRLF, one per key.

        `head` is the header section without the empty line, `body` everything after it, the
        empty line included. Returns b"" for a domain without keys. Raises KeyTrouble (a RelayError)
        when a key cannot be loaded: an unsigned message never leaves in its place.
        """
