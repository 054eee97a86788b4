"""Quota around one message: what each outcome charges, and what makes a retry (rules 1 to 3)."""

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from relay.concurrency.background import Background
from relay.core.errors import (
    NeverFits,
    StillUnderWay,
    StoreTrouble,
    UnknownOutcome,
    UpstreamAnswered,
    UpstreamLacks,
    UpstreamTrouble,
    WarmupLimit,
)
from relay.core.mail.message import Classified, Client, Envelope, Outgoing, Recipient, Submission
from relay.core.quota.reservation import Demand, Mark, Verdict, WallKind
from relay.core.reply import Reply
from relay.core.tenants.tenancy import MailClass, SendingDomain, Tenant
from relay.ports.upstream import Lacks, SaidNo, Taken, Unknown, Unreachable
from relay.store.memory import MemoryStore
from relay.transaction import insisting
from relay.transaction.charging import Charging
from relay.transaction.insisting import Insisting
from relay.transaction.reserving import Wanted
from tests.contract.world import HandClock, fresh_route, policy, share
from tests.unit.transaction.known_providers import KnownProviders

OK = Reply(250, "0.0", "Ok: queued")
HOUSE = "house"


class Instances:
    """This process is `house`; of the others, those in `alive` live."""

    own = HOUSE

    def __init__(self):
        self.alive = set()

    async def is_alive(self, instance):
        return instance in self.alive


@dataclass
class ScriptedUpstream:
    """Gives the outcomes it was told, in turn; counts what it took."""

    outcomes: list = field(default_factory=list)
    taken: int = 0
    wait: asyncio.Event | None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def deliver(self, _message, cleared):
        await cleared()
        self.asked.set()
        if self.wait:
            await self.wait.wait()
        outcome = self.outcomes.pop(0) if self.outcomes else Taken(OK)
        self.taken += isinstance(outcome, Taken)
        return outcome


class FlakyStore(MemoryStore):
    """A store that is away while `away` is above 0, counting down with every verb."""

    away = 0

    async def settle(self, *words):
        self._maybe_away()
        await super().settle(*words)

    async def heard(self, *words):
        self._maybe_away()
        await super().heard(*words)

    def _maybe_away(self):
        if self.away:
            self.away -= 1
            raise StoreTrouble


@dataclass
class Desk:
    """A charging with everything around it, and one route."""

    cap: int = 50
    live: set = field(default_factory=set)
    number: int = 0

    def __post_init__(self):
        self.clock = HandClock()
        self.store = FlakyStore(self.clock)
        self.instances = Instances()
        self.background = Background()
        self.insisting = Insisting(self.background)
        self.upstream = ScriptedUpstream()
        self.route = fresh_route(policy((0, self.cap)))
        self.providers = KnownProviders(google="gmail.com", yahoo="yahoo.com")
        self.charging = Charging(
            self.store,
            self.instances,
            self.clock,
            self.insisting,
            lambda session: session in self.live,
            self.providers,
        )

    def message(
        self, recipients=1, fingerprint=None, session=f"{HOUSE}.1", to=None,
        mail_class=MailClass.MARKETING,
    ):  # fmt: skip
        self.number += 1
        addresses = to or [f"r{n}@there.example" for n in range(recipients)]
        to = tuple(Recipient(address) for address in addresses)
        domain = SendingDomain(self.route.id.domain, "acme", (self.route,))
        submission = Submission(
            Client(Tenant("acme"), "127.0.0.1"), Envelope("a@b.example", to), b"", f"ref{self.number}",
            session,
        )  # fmt: skip
        return Classified(
            submission, domain, mail_class, None, fingerprint, b"", (),
            memoryview(b""), b"",
        )  # fmt: skip

    async def send(self, message, *outcomes):
        self.upstream.outcomes = list(outcomes)
        async with self.charging.reserved(message) as charge:
            if charge.is_retry:
                return charge
            out = Outgoing(message.submission.envelope, b"", memoryview(b""), "")
            return await self.charging.hand_over(charge, self.upstream, out)

    def demand(self, fingerprint, session):
        window, now = self.route.policy.window.at(self.clock.now()), self.clock.now()
        return Demand(self.route, window, 1, now, f"held {fingerprint}", session, fingerprint)

    async def standing(self):
        window = self.route.policy.window.at(self.clock.now())
        return await self.store.standing(self.route, window)


@pytest.fixture
def desk():
    return Desk()


async def test_an_acceptance_is_charged_and_starts_the_clock(desk):
    accepted = await desk.send(desk.message(3))
    assert accepted.reply == OK
    now = await desk.standing()
    assert (now.charged, now.sent, now.lifetime) == (3, 3, 3)
    assert now.first_day is not None


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (SaidNo(Reply(550, "1.1", "no such user"), "x@y.example"), UpstreamAnswered),
        (Unreachable("refused"), UpstreamTrouble),
        (Lacks("SMTPUTF8"), UpstreamLacks),
    ],
)
async def test_what_the_upstream_did_not_take_is_given_back(desk, outcome, error):
    with pytest.raises(error):
        await desk.send(desk.message(2), outcome)
    now = await desk.standing()
    assert (now.charged, now.first_day) == (0, None)


async def test_an_unknown_outcome_stays_charged_and_moves_no_ramp(desk):
    with pytest.raises(UnknownOutcome):
        await desk.send(desk.message(2), Unknown("cut"))
    now = await desk.standing()
    assert (now.charged, now.unknown, now.sent, now.first_day) == (2, 2, 0, None)


async def test_an_error_before_the_upstream_was_asked_gives_back(desk):
    with pytest.raises(ZeroDivisionError):
        async with desk.charging.reserved(desk.message()):
            raise ZeroDivisionError
    assert (await desk.standing()).charged == 0


async def test_nothing_is_handed_over_before_the_charge_lasts(desk, monkeypatch):
    asked = []

    async def lasts(reservation):
        asked.append((reservation.id, desk.upstream.taken))
        raise StoreTrouble

    monkeypatch.setattr(desk.store, "lasts", lasts)
    with pytest.raises(StoreTrouble):
        await desk.send(desk.message())
    assert asked == [("ref1", 0)]
    assert desk.upstream.taken == 0
    assert (await desk.standing()).charged == 0


async def test_a_reservation_of_its_own_lasts_before_it_is_used(desk, monkeypatch):
    asked = []

    async def lasts(reservation):
        asked.append(reservation.id)

    monkeypatch.setattr(desk.store, "lasts", lasts)
    wanted = Wanted((Recipient("a@there.example"),), MailClass.MARKETING, "ref7", "s.1")
    held = await desk.charging.reserve_one([desk.route], wanted)
    assert asked == [held.id] == ["ref7"]


async def test_being_cancelled_while_the_upstream_is_asked_stays_charged(desk):
    desk.upstream.wait = asyncio.Event()
    task = asyncio.ensure_future(desk.send(desk.message()))
    await desk.upstream.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await desk.standing()).unknown == 1


async def test_the_cap_is_a_wall_and_a_message_wider_than_the_policy_is_refused(desk):
    await desk.send(desk.message(50))
    with pytest.raises(WarmupLimit):
        await desk.send(desk.message())
    with pytest.raises(NeverFits):
        await desk.send(desk.message(51))
    assert desk.upstream.taken == 1


async def test_a_retry_of_an_unheard_acceptance_is_not_sent_again(desk):
    first = await desk.send(desk.message(fingerprint="f"))
    await desk.charging.unheard(first.receipt)
    charge = await desk.send(desk.message(fingerprint="f", session=f"{HOUSE}.2"))
    assert charge.is_retry
    assert desk.upstream.taken == 1
    await desk.charging.heard(charge.reservation)
    await desk.send(desk.message(fingerprint="f", session=f"{HOUSE}.3"))
    assert desk.upstream.taken == 2


async def test_equal_mails_whose_clients_heard_are_both_sent(desk):
    for _ in range(2):
        accepted = await desk.send(desk.message(fingerprint="f"))
        await desk.charging.heard(accepted.receipt)
    assert desk.upstream.taken == 2


async def test_equal_mails_are_both_sent_while_the_first_client_is_still_there(desk):
    desk.live.add(f"{HOUSE}.1")
    await desk.send(desk.message(fingerprint="f"))
    await desk.send(desk.message(fingerprint="f", session=f"{HOUSE}.2"))
    assert desk.upstream.taken == 2


@pytest.mark.parametrize(("alive", "copies"), [(True, 2), (False, 1)])
async def test_an_acceptance_of_another_relay_counts_by_whether_that_relay_lives(
    desk, alive, copies
):
    await desk.send(desk.message(fingerprint="f", session="other.1"))
    if alive:
        desk.instances.alive.add("other")
    await desk.send(desk.message(fingerprint="f"))
    assert desk.upstream.taken == copies


async def test_a_retry_while_the_first_attempt_is_under_way_is_deferred(desk):
    desk.upstream.wait = asyncio.Event()
    first = asyncio.ensure_future(desk.send(desk.message(fingerprint="f")))
    await desk.upstream.asked.wait()
    await desk.charging.left("ref1")
    with pytest.raises(StillUnderWay):
        await desk.send(desk.message(fingerprint="f", session=f"{HOUSE}.2"))
    desk.upstream.wait.set()
    await desk.charging.unheard((await first).receipt)
    assert (await desk.send(desk.message(fingerprint="f", session=f"{HOUSE}.3"))).is_retry
    assert desk.upstream.taken == 1


async def test_a_retry_while_quota_is_asked_for_the_first_attempt_is_deferred(desk, monkeypatch):
    """The first attempt's client leaves before there is anything to mark in the store."""
    answer, reserve = asyncio.Event(), desk.store.reserve

    async def slow(demand, **more):
        await answer.wait()
        return await reserve(demand, **more)

    desk.live.add(f"{HOUSE}.1")
    monkeypatch.setattr(desk.store, "reserve", slow)
    first = asyncio.ensure_future(desk.send(desk.message(fingerprint="f")))
    await asyncio.sleep(0.01)
    desk.live.clear()
    with pytest.raises(StillUnderWay):
        await desk.send(desk.message(fingerprint="f", session=f"{HOUSE}.2"))
    answer.set()
    await first
    assert (await desk.send(desk.message(fingerprint="f", session=f"{HOUSE}.3"))).is_retry
    assert desk.upstream.taken == 1


async def test_a_retry_for_which_quota_is_asked_when_the_first_client_is_found_gone_is_deferred(
    desk, monkeypatch
):
    """Nothing of that has been told to the store yet."""
    desk.live |= {f"{HOUSE}.1", f"{HOUSE}.2"}
    desk.upstream.wait = asyncio.Event()
    first = asyncio.ensure_future(desk.send(desk.message(fingerprint="f")))
    await desk.upstream.asked.wait()
    reserve = desk.store.reserve

    async def slow(demand, **more):
        granted = await reserve(demand, **more)
        desk.live.discard(f"{HOUSE}.1")
        return granted

    monkeypatch.setattr(desk.store, "reserve", slow)
    with pytest.raises(StillUnderWay):
        await desk.send(desk.message(fingerprint="f", session=f"{HOUSE}.2"))
    assert (await desk.standing()).charged == 1
    desk.upstream.wait.set()
    await first
    assert desk.upstream.taken == 1


async def test_of_a_split_message_too_a_client_that_is_gone_here_is_known_of(desk):
    desk.live |= {f"{HOUSE}.1", f"{HOUSE}.2"}
    domain = desk.route.id.domain
    assert await desk.charging.earlier_attempts(domain, ["f", "g"], f"{HOUSE}.1") == [None, None]
    assert await desk.charging.earlier_attempts(domain, ["f"], f"{HOUSE}.2") == [None]
    desk.live.discard(f"{HOUSE}.1")
    with pytest.raises(StillUnderWay):
        await desk.charging.earlier_attempts(domain, ["g"], f"{HOUSE}.3")
    for fingerprint in ("f", "g"):
        held = await desk.store.reserve(desk.demand(fingerprint, f"{HOUSE}.1"))
        await desk.charging.settle([held.reservation], Verdict.REFUND)
    assert await desk.charging.earlier_attempts(domain, ["f", "g"], f"{HOUSE}.2") == [None, None]


async def test_an_equal_mail_while_the_first_client_waits_is_asked_for_too(desk, monkeypatch):
    answer, reserve = asyncio.Event(), desk.store.reserve

    async def slow(demand, **more):
        await answer.wait()
        return await reserve(demand, **more)

    desk.live.update({f"{HOUSE}.1", f"{HOUSE}.2"})
    monkeypatch.setattr(desk.store, "reserve", slow)
    both = [
        asyncio.ensure_future(desk.send(desk.message(fingerprint="f", session=f"{HOUSE}.{n}")))
        for n in (1, 2)
    ]
    await asyncio.sleep(0.01)
    answer.set()
    await asyncio.gather(*both)
    assert desk.upstream.taken == 2


async def test_a_refused_attempt_whose_client_left_is_sent_at_the_retry(desk):
    desk.upstream.wait = asyncio.Event()
    first = asyncio.ensure_future(desk.send(desk.message(fingerprint="f"), Unreachable("x")))
    await desk.upstream.asked.wait()
    await desk.charging.left("ref1")
    desk.upstream.wait.set()
    with pytest.raises(UpstreamTrouble):
        await first
    await desk.send(desk.message(fingerprint="f", session=f"{HOUSE}.2"))
    assert desk.upstream.taken == 1


async def test_without_a_fingerprint_nothing_is_ever_a_retry(desk):
    accepted = await desk.send(desk.message())
    assert accepted.receipt is None
    await desk.send(desk.message())
    assert desk.upstream.taken == 2


async def test_the_client_hears_of_an_acceptance_though_the_store_is_away(desk):
    desk.store.away = 1
    accepted = await desk.send(desk.message(2))
    assert accepted.reply == OK
    assert (await desk.standing()).sent == 0
    await desk.background.drain(5)
    assert (await desk.standing()).sent == 2


async def test_a_message_whose_settlement_was_given_up_is_not_deferred_for_ever(desk, monkeypatch):
    """Its refusal could not be told to the store for an hour, and its client is long gone."""
    monkeypatch.setattr(insisting, "KNOCK_S", 0.01)
    monkeypatch.setattr(insisting, "KEEP_S", 0.05)
    desk.store.away = 1_000
    with pytest.raises(UpstreamTrouble):
        await desk.send(desk.message(fingerprint="f"), Unreachable("down"))
    with pytest.raises(StillUnderWay):
        await desk.send(desk.message(fingerprint="f", session=f"{HOUSE}.2"))
    await desk.background.drain(5)
    desk.store.away = 0
    desk.clock.move(hours=1)  # so long the store has been away
    await desk.send(desk.message(fingerprint="f", session=f"{HOUSE}.3"))
    assert desk.upstream.taken == 1


async def test_what_was_heard_while_the_store_was_away_is_forgotten_after_it_is_settled(desk):
    desk.store.away = 1
    accepted = await desk.send(desk.message(fingerprint="f"))
    await desk.charging.heard(accepted.receipt)
    await desk.background.drain(5)
    assert (await desk.standing()).unheard == 0
    await desk.send(desk.message(fingerprint="f", session=f"{HOUSE}.2"))
    assert desk.upstream.taken == 2


async def test_a_peek_says_what_is_certain_and_nothing_else(desk):
    await desk.charging.peek([desk.route], 1)
    accepted = await desk.send(desk.message(50, fingerprint="f"))
    await desk.charging.peek([desk.route], 1)  # might be the retry
    await desk.charging.heard(accepted.receipt)
    with pytest.raises(WarmupLimit):
        await desk.charging.peek([desk.route], 1)


async def test_a_client_that_left_before_the_reservation_stood_is_noted_all_the_same(desk):
    desk.live.clear()
    first = await desk.send(desk.message(fingerprint="f", session=f"{HOUSE}.9"))
    assert first.receipt is not None
    now, domain = desk.clock.now(), desk.route.id.domain
    known = await desk.store.attempts(domain, ["f"], "", now)
    assert known == [{f"{HOUSE}.9": Mark.GONE}], "other processes have it from the store"
    charge = await desk.send(desk.message(fingerprint="f", session=f"{HOUSE}.10"))
    assert charge.is_retry
    window = desk.route.policy.window.at(desk.clock.now())
    assert (await desk.store.standing(desk.route, window)).sent == 1


async def test_what_a_client_gave_up_while_another_process_was_at_it_is_not_sent(desk):
    granted = desk.store.reserve

    async def contested(demand, *, anew=False):
        return replace(await granted(demand, anew=anew), is_contested=True)

    desk.store.reserve = contested
    desk.live = {f"{HOUSE}.1"}
    await desk.send(desk.message(2, fingerprint="f", session=f"{HOUSE}.1"))
    with pytest.raises(StillUnderWay):
        await desk.send(desk.message(fingerprint="g", session=f"{HOUSE}.2"))
    assert desk.upstream.taken == 1
    assert (await desk.standing()).charged == 2


async def test_each_recipient_is_charged_to_its_provider(desk):
    to = ["a@gmail.com", "b@GMAIL.COM", "c@yahoo.com", "d@there.example", '"e@f"@[192.0.2.1]']
    await desk.send(desk.message(to=to))
    found = {name: tally.sent for name, tally in (await desk.standing()).providers.items()}
    assert found == {"google": 2, "yahoo": 1, "other": 2}
    assert desk.providers.asked == [{"gmail.com", "yahoo.com", "there.example"}]


async def test_a_full_provider_defers_the_message_and_names_itself(desk):
    desk.route = replace(desk.route, policy=policy((0, 50), providers={"google": share(10)}))
    await desk.send(desk.message(to=["a@gmail.com"] * 5))
    with pytest.raises(WarmupLimit, match="for google: 5 of 5 sent today") as told:
        await desk.send(desk.message(to=["a@gmail.com", "b@there.example"]))
    assert told.value.wall.kind is WallKind.PROVIDER
    with pytest.raises(NeverFits, match="more than 5 a day for google"):
        await desk.send(desk.message(to=["a@gmail.com"] * 6))
    await desk.send(desk.message(to=["b@there.example"]))
    assert desk.upstream.taken == 2


async def test_the_class_of_a_message_decides_which_headroom_is_its_own(desk):
    kept = {MailClass.TRANSACTIONAL: 100_000}
    desk.route = replace(desk.route, policy=policy((0, 50), headroom_ppm=kept))
    await desk.send(desk.message(45))
    with pytest.raises(WarmupLimit, match="the rest is kept for transactional mail"):
        await desk.send(desk.message())
    await desk.charging.peek([desk.route], 1)  # the class is not certain at RCPT
    await desk.send(desk.message(5, mail_class=MailClass.TRANSACTIONAL))
    with pytest.raises(WarmupLimit):
        await desk.charging.peek([desk.route], 1)
