"""One way through the model, taken by the relay's own code: the model is what the code does.

Every verb of the store and every answer of the upstream waits at a gate until the model's next
step lets it through, or lets it get lost. After each step the store must hold what the model
says. Two relays are two `Charging` over one store; a crash is one that is never heard of again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from relay.concurrency.background import Background
from relay.core.errors import RelayError, StoreTrouble
from relay.core.mail.message import Classified, Client, Envelope, Outgoing, Recipient, Submission
from relay.core.policy.policy import MailClass
from relay.core.reply import Reply
from relay.core.tenants.tenancy import Route, SendingDomain, Tenant
from relay.ports import QuotaStore
from relay.ports.upstream import SaidNo, Taken, Unknown
from relay.transaction.charging import Charging
from relay.transaction.insisting import Insisting
from tests.contract.world import HandClock
from tests.model.attempts import Bounds, State, Step, after
from tests.unit.transaction.known_providers import KnownProviders

PATIENCE_S = 3.0
OUTCOMES = {
    "known": Taken(Reply(250, "0.0", "Ok")),
    "unknown": Unknown("cut"),
    "vanishes": Unknown("cut"),
    "refuses": SaidNo(Reply(451, "4.0", "Later")),
}


class Gate:
    """Where the code waits for the model."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], asyncio.Future[str]] = {}
        self._closed = False

    async def passed(self, verb: str, session: str) -> str:
        """How it goes; waits until `open` says so. Raises StoreTrouble once closed."""
        if self._closed:
            raise StoreTrouble
        here = self._waiting[verb, session] = asyncio.get_running_loop().create_future()
        return await here

    async def waits(self, verb: str, session: str) -> None:
        """Return when the code has come to `verb`."""
        async with asyncio.timeout(PATIENCE_S):
            while not self.has(verb, session):  # noqa: ASYNC110  # any verb of any task
                await asyncio.sleep(0.001)

    async def open(self, verb: str, session: str, how: str) -> None:
        """Let `verb` pass."""
        await self.waits(verb, session)
        self._waiting.pop((verb, session)).set_result(how)

    def has(self, verb: str, session: str) -> bool:
        """Whether the code waits at `verb`."""
        return (verb, session) in self._waiting

    def close(self) -> None:
        """Nothing passes any more."""
        self._closed = True
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(StoreTrouble())


class GatedStore:
    """The store as one relay sees it. A dead relay's words reach it no more."""

    def __init__(self, store: QuotaStore, gate: Gate) -> None:
        self._store, self._gate, self.is_dead = store, gate, False

    async def reserve(self, demand, *, anew=False):
        verb = "anew" if anew else "reserve"
        return await self._lossy(
            verb, demand.session, lambda: self._store.reserve(demand, anew=anew)
        )

    async def lasts(self, reservation):
        if self.is_dead:
            raise StoreTrouble
        await self._store.lasts(reservation)

    async def settle(self, reservation, verdict, now):
        await self._lossy(
            "settle", reservation.session, lambda: self._store.settle(reservation, verdict, now)
        )

    async def left(self, reservation):
        await self._lossy("left", reservation.id, lambda: self._store.left(reservation))

    async def heard(self, reservation):
        await self._lossy("heard", reservation.id, lambda: self._store.heard(reservation))

    async def _lossy(self, verb, name, call):
        how = await self._gate.passed(verb, name)
        if how == "unsent" or self.is_dead:
            raise StoreTrouble
        found = await call()
        if how == "lost":
            raise StoreTrouble
        return found


@dataclass
class Relay:
    """One life of a relay process."""

    instance: str
    charging: Charging
    store: GatedStore
    background: Background


@dataclass
class Running:
    """An attempt that the code is at. `said`: its reply's code, 0 before there is one."""

    message: str
    relay: Relay
    submission: Submission
    connected: bool = True
    said: int = 0
    receipt: object = None
    task: asyncio.Task | None = None


@dataclass
class Replay:
    """The world of one walk. `step` follows the model; it raises AssertionError on a difference."""

    store: QuotaStore
    route: Route
    clock: HandClock
    bounds: Bounds
    gate: Gate = field(default_factory=Gate)
    state: State = field(default_factory=State)
    running: list[Running] = field(default_factory=list)
    relays: dict[int, Relay] = field(default_factory=dict)
    lives: int = 0
    told: str = ""

    async def is_alive(self, instance: str) -> bool:
        """Of `ports.Instances`."""
        return any(relay.instance == instance for relay in self.relays.values())

    async def step(self, step: Step) -> None:
        """Do in the code what `step` is in the model, and compare."""
        before = self.state
        self.state = after(before, step, self.bounds)
        await getattr(self, f"_{step.what}")(step)
        await self._compare()

    async def end(self) -> None:
        """Nothing of this walk stays behind."""
        self.gate.close()
        for relay in list(self.relays):
            await self._crash(Step("crash", relay))
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*(each.task for each in self.running if each.task))

    async def _send(self, step: Step) -> None:
        relay = self.relays.get(step.to) or self._start(step.to)
        number = len(self.running)
        submission = Submission(
            Client(Tenant("acme"), "127.0.0.1"),
            Envelope("a@b.example", (Recipient("r@there.example"),)),
            b"", f"ref{number}", f"{relay.instance}.{number}",
        )  # fmt: skip
        running = Running(step.how, relay, submission)
        self.running.append(running)
        running.task = asyncio.create_task(self._relay_one(running))

    def _start(self, number: int) -> Relay:
        self.lives += 1
        instance, background = f"life{self.lives}", Background()
        store = GatedStore(self.store, self.gate)
        instances = _Instances(instance, self)
        charging = Charging(
            store, instances, self.clock, Insisting(background), self._is_session_alive,
            KnownProviders(),
        )  # fmt: skip
        self.relays[number] = Relay(instance, charging, store, background)
        return self.relays[number]

    def _is_session_alive(self, session: str) -> bool:
        return any(r.submission.session == session and r.connected for r in self.running)

    async def _relay_one(self, running: Running) -> None:
        """What `Pipeline.relay` does, and the edge after it."""
        domain = SendingDomain(self.route.id.domain, "acme", (self.route,))
        message = Classified(
            running.submission, domain, MailClass.MARKETING, None, running.message, b"", (),
            memoryview(b""), b"",
        )  # fmt: skip
        charging = running.relay.charging
        try:
            async with charging.reserved(message) as charge:
                running.receipt = charge.reservation
                if not charge.is_retry:
                    out = Outgoing(running.submission.envelope, b"", memoryview(b""), "")
                    upstream = _Upstream(self.gate, running.submission.session)
                    await charging.hand_over(charge, upstream, out)
            running.said = 250
        except RelayError:
            running.said = 451

    async def _drop(self, step: Step) -> None:
        self.running[step.to].connected = False

    async def _crash(self, step: Step) -> None:
        relay = self.relays.pop(step.to)
        relay.store.is_dead = True
        for running in self.running:
            if running.relay is relay:
                running.connected = False
        await relay.background.drain(0)

    async def _reserve(self, step: Step) -> None:
        await self.gate.open(step.what, self._session(step), step.how)

    _anew = _reserve

    async def _upstream(self, step: Step) -> None:
        await self.gate.waits("deliver", self._session(step))
        if step.how != "takes":
            await self.gate.open("deliver", self._session(step), step.how)
            await self.gate.waits("settle", self._session(step))

    async def _answer(self, step: Step) -> None:
        await self.gate.open("deliver", self._session(step), step.how)
        await self.gate.waits("settle", self._session(step))

    async def _settle(self, step: Step) -> None:
        await self.gate.open("settle", self._session(step), step.how)

    async def _resettle(self, step: Step) -> None:
        await self.gate.open("settle", self._session(step), "ok")

    async def _left(self, step: Step) -> None:
        running = self.running[step.to]
        charging, name = running.relay.charging, running.submission.ref
        if running.said:
            name = running.receipt.id
            running.relay.background.start(charging.unheard(running.receipt))
        elif not self.gate.has("left", name):
            running.relay.background.start(charging.left(name))
        await self.gate.open("left", name, "ok")

    async def _heard(self, step: Step) -> None:
        running = self.running[step.to]
        running.relay.background.start(running.relay.charging.heard(running.receipt))
        await self.gate.open("heard", running.receipt.id, "ok")

    def _session(self, step: Step) -> str:
        return self.running[step.to].submission.session

    async def _compare(self) -> None:
        """Wait until store and clients stand as in the model."""
        async with asyncio.timeout(PATIENCE_S):
            while (found := await self._seen()) != (wanted := self._wanted()):
                await asyncio.sleep(0.001)
                self.told = f"{found} in the code, {wanted} in the model"

    async def _seen(self) -> tuple[object, ...]:
        window = self.route.policy.window.at(self.clock.now())
        standing = await self.store.standing(self.route, window)
        names = sorted({r.message for r in self.running})
        marks = await self.store.attempts(self.route.id.domain, names, "", self.clock.now())
        by_session = {s: m.value for each in marks for s, m in each.items()}
        living = [r for r in self.running if r.relay in self.relays.values()]
        said = {r.submission.session: r.said for r in living if r.said}
        return standing.charged, by_session, said

    def _wanted(self) -> tuple[object, ...]:
        marks = {self.running[n].submission.session: mark for n, mark in self.state.marks}
        attempts = zip(self.running, self.state.attempts, strict=True)
        said = {r.submission.session: a.reply for r, a in attempts if a.alive and a.reply}
        return self.state.charged, marks, said


@dataclass
class _Instances:
    own: str
    replay: Replay

    async def is_alive(self, instance: str) -> bool:
        return await self.replay.is_alive(instance)


@dataclass
class _Upstream:
    gate: Gate
    session: str

    async def deliver(self, _message, cleared):
        await cleared()
        return OUTCOMES[await self.gate.passed("deliver", self.session)]
