"""The Protocols between rooms: what each promises the others.

Every promise is about four things: atomicity (what others can see half done), idempotency
(what may be called twice), cancellation (what a cancelled caller leaves behind) and failure
(what is raised, and what is then certain). `app.py` decides who implements them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from relay.core.history import Past
from relay.core.mail import Classified, Client, Envelope, Outgoing, Recipient, Submission
from relay.core.providers import MxFinding, ProviderAnswer
from relay.core.quota import Answer, Demand, Mark, Part, Reservation, Standing, Verdict
from relay.core.reply import Reply
from relay.core.tenancy import Directory, Route, RouteId
from relay.core.values import value
from relay.core.window import Window


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
        charged, unless `anew` says that this is a mail of its own. A campaign is charged over
        one route only: the first charge that stands fixes it. Never retried: calling it twice
        charges twice. A cancelled call may have charged. What is granted outlives every process;
        `lasts` has to return before anything is forwarded.
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
        self, domain: str, fingerprints: Sequence[str], now: datetime
    ) -> list[dict[str, Mark]]:
        """Earlier attempts at each of these messages of `domain`, as session → mark. Reads only.

        For messages whose quota is reserved before they are known (rule 3).
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


@value(frozen=True, slots=True)
class Taken:
    """The upstream took every recipient; `answer` is its reply to the final dot."""

    answer: Reply


@dataclass(frozen=True, slots=True)
class SaidNo:
    """The upstream refused (5xx) or deferred (4xx), and took nothing.

    `recipient` names the first refused one; None where the message as a whole was refused.
    """

    answer: Reply
    recipient: str | None = None


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Nothing was handed over: proven, for the final dot was never sent. `why` is for the log."""

    why: str


@dataclass(frozen=True, slots=True)
class Lacks:
    """The upstream does not offer `extension`, which the message needs; nothing was handed over."""

    extension: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The final dot was sent and no valid reply came. `why` is for the log."""

    why: str


Outcome = Taken | SaidNo | Unreachable | Lacks | Unknown
Refusal = SaidNo | Unreachable | Lacks
"""Certain: the upstream has taken nothing by this."""


class Handover(Protocol):
    """One transaction with an upstream, open while its recipients are still coming in.

    Good for one `send`. Nothing is handed over before `send`, and nothing can be after `abort`
    or once a step answered Unreachable: every later step answers so too. It keeps a connection
    of the upstream to itself, for a bounded time only: left alone for longer it ends by itself.
    A cancelled step ends it. One step at a time.
    """

    async def recipient(self, recipient: Recipient) -> Reply | Refusal:
        """Offer `recipient`: the upstream's 2xx, or why it cannot be sent to.

        A refused recipient leaves those before it as they are. Has a deadline.
        """

    async def send(self, message: Outgoing) -> Outcome:
        """Hand `message` over, whose envelope names the recipients that were accepted.

        To all of them or to none. Never raises but for cancellation. Every step has a deadline.
        """

    async def abort(self) -> None:
        """Give the transaction up, within a bounded time. Idempotent; never raises."""


Clearance = Callable[[], Awaitable[None]]
"""Returns when content may be sent; raises a RelayError if it may not."""


class Upstream(Protocol):
    """One SMTP server (or maildir) that mail is handed to."""

    @property
    def name(self) -> str:
        """Its name in the config."""

    @property
    def offers(self) -> frozenset[str] | None:
        """EHLO keywords it was last seen to offer, upper case; None before the first contact."""

    async def deliver(self, message: Outgoing, cleared: Clearance | None = None) -> Outcome:
        """Hand `message` over to all of its recipients, all or nothing.

        Before the first byte of content `cleared` is awaited, again on another connection; what
        it raises ends the delivery, and nothing was handed over. Never raises but for that and
        for cancellation, and never sends a message twice: it tries another connection or host
        only while it is certain that nothing was handed over. Every step has a deadline. A call
        that raises leaves no half transaction on a pooled connection.
        """

    async def begin(self, envelope: Envelope) -> Handover | Refusal:
        """Open a transaction for a message that is not there yet; its recipients come later.

        The recipients of `envelope` are not looked at. Tries other connections and hosts as
        `deliver` does. Must be followed by `send` or `abort`. Never raises but for cancellation.
        """

    async def probe(self) -> str | None:
        """Connect and greet: None when it answers, else what is wrong, for people."""

    async def close(self) -> None:
        """QUIT and close every connection, within a bounded time."""


@value(frozen=True, slots=True)
class Accepted:
    """A message that the upstream took. `receipt` is None where nothing needs to be heard.

    A split message has a receipt for each recipient: all but the first are `more`. `is_retry`:
    it was taken at an earlier attempt and not sent again.
    """

    reply: Reply
    receipt: Reservation | None
    more: tuple[Reservation, ...] = ()
    is_retry: bool = False

    @property
    def receipts(self) -> tuple[Reservation, ...]:
        """All of them."""
        return self.more if self.receipt is None else (self.receipt, *self.more)


Hears = Callable[[Accepted], None]
"""Must return at once and never raise."""


class SplitTransaction(Protocol):
    """One client transaction whose recipients are answered one by one (`recipients: split`).

    One call at a time. Must be followed by `finish` or `abort`; until then the quota of every
    accepted recipient is charged, and a transaction with the upstream is open.
    """

    async def recipient(self, recipient: Recipient) -> Reply:
        """Reserve one send and offer `recipient` upstream: its 2xx.

        Raises RelayError, and then nothing is charged for `recipient` (StoreTrouble: may be).
        Those accepted before stay so.
        """

    async def finish(self, submission: Submission, taken: Hears | None = None) -> Accepted:
        """As `Relay.relay`, for the recipients that were accepted; all of them, or none.

        Like it, it must be let run to its end. Whatever comes of it, the transaction is over.
        """

    async def abort(self) -> None:
        """Give every reservation back and the upstream transaction up. Bounded in time.

        Does nothing once `finish` was called. Idempotent; never raises.
        """


class Relay(Protocol):
    """What the edge asks of the pipeline. Everything not taken is raised as a RelayError."""

    def check_sender(self, client: Client, mail_from: str) -> None:
        """MAIL: whether `client` may use this reverse-path. Raises NotPermitted."""

    def check_quota(
        self, client: Client, envelope: Envelope, ref: str
    ) -> Coroutine[Any, Any, None] | None:
        """First RCPT of `ref`: awaited, raises WarmupLimit where the route is at its cap or paused.

        None where that need not be asked. Says nothing where the sending domain is not certain
        yet, or where the message might be a retry of one already taken. Never raises
        StoreTrouble: DATA will.
        """

    def begin(
        self, client: Client, envelope: Envelope, ref: str, session: str
    ) -> SplitTransaction | None:
        """First RCPT of `ref`: a transaction to take the recipients one by one.

        None where they are taken as a whole: `check_quota`, then `relay`. The recipients of
        `envelope` are not looked at. Nothing is charged or opened yet.
        """

    async def relay(self, submission: Submission, taken: Hears | None = None) -> Accepted:
        """The whole sentence: classify, reserve, sign, forward, settle.

        `taken` hears of what will be returned when the upstream has it, just before that is
        settled, unless the store is busy; of a retry it does not. Must be let run to its end once
        called, even when the client is gone: cancelling it charges what is in flight.
        """

    async def left(self, submission: Submission) -> None:
        """The client's connection was lost while `relay` was under way. Never raises."""

    async def unheard(self, receipt: Reservation) -> None:
        """The client's connection was lost before it was seen to hear. Never raises."""

    async def heard(self, receipt: Reservation) -> None:
        """The client was seen to hear: its next command came. Never raises."""
