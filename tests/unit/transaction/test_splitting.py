"""Recipient by recipient: what is reserved, offered, given back and sent (`recipients: split`)."""

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from relay.concurrency.background import Background
from relay.core.errors import (
    NeverFits,
    NotPermitted,
    StillUnderWay,
    UnknownOutcome,
    UpstreamAnswered,
    UpstreamLacks,
    UpstreamTrouble,
    WarmupLimit,
)
from relay.core.mail.classify import classify
from relay.core.mail.message import Client, Envelope, Recipient, Submission
from relay.core.policy.policy import Recipients
from relay.core.reply import Reply
from relay.core.tenants.tenancy import RouteId, SendingDomain, Tenant, directory_of
from relay.ports.upstream import Lacks, SaidNo, Taken, Unknown, Unreachable
from relay.store.memory import MemoryStore
from relay.transaction.charging import RETRIED, Charging
from relay.transaction.insisting import Insisting
from relay.transaction.preparing import Preparing
from relay.transaction.splitting import Splitting
from tests.contract.world import HandClock, fresh_route, policy, provider_tiers
from tests.unit.transaction.known_providers import KnownProviders

OK = Reply(250, "0.0", "Ok: queued")
TAKEN = Reply(250, "1.5", "ok")
NO = Reply(550, "1.1", "no such user")
HOUSE = "house"


class Instances:
    own = HOUSE

    def __init__(self):
        self.asked = 0

    async def is_alive(self, _instance):
        self.asked += 1
        return False


class NoSigner:
    async def sign(self, _message, _head, _body):
        return b""


@dataclass
class ScriptedUpstream:
    """`log` is what it was asked; `sent` whom it took mail for. It refuses `refused`."""

    begins: list = field(default_factory=list)
    refused: dict = field(default_factory=dict)
    outcomes: list = field(default_factory=list)
    log: list = field(default_factory=list)
    sent: list = field(default_factory=list)
    wait: asyncio.Event | None = None

    async def begin(self, envelope):
        self.log.append("begin")
        return self.begins.pop(0) if self.begins else ScriptedHandover(self)

    async def deliver(self, message):
        self.log.append("deliver")
        return await self.take(message)

    async def take(self, message):
        if self.wait:
            await self.wait.wait()
        outcome = self.outcomes.pop(0) if self.outcomes else Taken(OK)
        if isinstance(outcome, Taken | Unknown):
            self.sent += [recipient.address for recipient in message.envelope.recipients]
        return outcome


class ScriptedHandover:
    def __init__(self, upstream):
        self.upstream = upstream

    async def recipient(self, recipient):
        self.upstream.log.append(recipient.address)
        return self.upstream.refused.get(recipient.address, TAKEN)

    async def send(self, message):
        self.upstream.log.append("send")
        return await self.upstream.take(message)

    async def abort(self):
        self.upstream.log.append("abort")


@dataclass
class Settings:
    directory: object


def split_route(*tiers, **more):
    return fresh_route(policy(*tiers, recipients=Recipients.SPLIT, **more))


@dataclass
class Desk:
    """A splitting with everything around it. `route` is split; `other` is the tenant's too."""

    cap: int = 5
    other_cap: int = 3
    live: set = field(default_factory=lambda: {f"{HOUSE}.1"})
    number: int = 0

    def __post_init__(self):
        self.clock = HandClock()
        self.store = MemoryStore(self.clock)
        self.background = Background()
        self.instances = Instances()
        self.upstream, self.second = ScriptedUpstream(), ScriptedUpstream()
        self.route = split_route((0, self.cap), providers={"google": provider_tiers((0, 2))})
        self.other = fresh_route(policy((0, self.other_cap)))
        self.far = replace(self.other, id=RouteId(f"far.{self.other.id.domain}", "second"))
        routes = (self.route, self.other, self.far)
        domains = [SendingDomain(r.id.domain, "acme", (r,)) for r in routes]
        domains[0] = replace(domains[0], envelope_domains=frozenset({"shared.example"}))
        domains[1] = replace(domains[1], envelope_domains=frozenset({"shared.example"}))
        self.tenant = Tenant("acme", domains=tuple(domains))
        self.settings = Settings(directory_of([self.tenant]))
        self.charging = Charging(
            self.store, self.instances, self.clock, Insisting(self.background),
            self.live.__contains__, KnownProviders(google="gmail.com"),
        )  # fmt: skip
        self.splitting = Splitting(
            self.settings, classify, self.charging,
            Preparing("relay.example", self.clock, NoSigner()),
            {"outbound": self.upstream, "second": self.second},
        )  # fmt: skip

    def begin(self, mail_from=None, session=f"{HOUSE}.1"):
        self.number += 1
        client = Client(self.tenant, "127.0.0.1")
        sender = Envelope(f"a@{self.route.id.domain}" if mail_from is None else mail_from, ())
        split = self.splitting.begin(client, sender, f"ref{self.number}", session)
        return split and Talk(self, split, client, sender, f"ref{self.number}", session)

    async def charged(self, route=None):
        route = route or self.route
        window = route.policy.window.at(self.clock.now())
        now = await self.store.standing(route, window)
        return now.charged, now.sent, now.unknown


@dataclass
class Talk:
    """One transaction, as the edge leads it."""

    desk: Desk
    split: object
    client: Client
    sender: Envelope
    ref: str
    session: str
    accepted: list = field(default_factory=list)

    async def to(self, *names):
        for name in names:
            recipient = Recipient(name if "@" in name else f"{name}@there.example")
            await self.split.recipient(recipient)
            self.accepted.append(recipient)
        return self

    async def finish(self, *outcomes, domain=None, message_id="m1", extra=b""):
        self.desk.upstream.outcomes = list(outcomes)
        content = f"From: x@{domain or self.desk.route.id.domain}\r\n".encode()
        content += f"Message-ID: <{message_id}>\r\n".encode() if message_id else b""
        envelope = replace(self.sender, recipients=tuple(self.accepted))
        return await self.split.finish(
            Submission(
                self.client, envelope, content + extra + b"\r\nhi\r\n", self.ref, self.session
            )
        )


@pytest.fixture
def desk():
    return Desk()


async def test_only_a_certain_domain_with_a_split_policy_is_taken_recipient_by_recipient(desk):
    assert desk.begin() is not None
    assert desk.begin("") is None
    assert desk.begin(f"a@{desk.other.id.domain}") is None
    assert desk.begin("a@shared.example") is None
    assert desk.begin("a@nobody.example") is None


async def test_each_recipient_is_charged_before_it_is_offered_and_settled_with_the_message(desk):
    talk = await desk.begin().to("a", "b")
    assert await desk.charged() == (2, 0, 0)
    accepted = await talk.finish()
    assert accepted.reply == OK
    assert len(accepted.receipts) == 2
    assert await desk.charged() == (2, 2, 0)
    assert desk.upstream.log == ["begin", "a@there.example", "b@there.example", "send"]


async def test_the_wall_stops_the_recipients_above_the_cap_and_no_others(desk):
    talk = await desk.begin().to(*"abcde")
    for name in "fg":
        with pytest.raises(WarmupLimit):
            await talk.to(name)
    await talk.finish()
    assert desk.upstream.sent == [f"{name}@there.example" for name in "abcde"]
    assert await desk.charged() == (5, 5, 0)


async def test_a_providers_wall_stops_its_own_recipients_and_no_others(desk):
    talk = await desk.begin().to("a@gmail.com", "b@gmail.com")
    with pytest.raises(WarmupLimit, match=r"for google"):
        await talk.to("c@gmail.com")
    await talk.to("d", "e")
    await talk.finish()
    assert len(desk.upstream.sent) == 4


async def test_a_recipient_that_the_upstream_refuses_is_given_back_at_once(desk):
    desk.upstream.refused = {"b@there.example": SaidNo(NO, "b@there.example")}
    talk = await desk.begin().to("a")
    with pytest.raises(UpstreamAnswered) as refused:
        await talk.to("b")
    assert refused.value.answer == NO
    assert await desk.charged() == (1, 0, 0)
    await talk.to("c")
    await talk.finish()
    assert desk.upstream.sent == ["a@there.example", "c@there.example"]


async def test_an_abort_gives_everything_back_and_once_is_enough(desk):
    talk = await desk.begin().to("a", "b")
    await talk.split.abort()
    await talk.split.abort()
    assert await desk.charged() == (0, 0, 0)
    assert desk.upstream.log[-2:] == ["b@there.example", "abort"]


@pytest.mark.parametrize(
    ("begun", "error"),
    [
        (SaidNo(Reply(451, "3.0", "later")), UpstreamAnswered),
        (Unreachable("down"), UpstreamTrouble),
        (Lacks("SMTPUTF8"), UpstreamLacks),
    ],
)
async def test_an_upstream_that_begins_nothing_is_asked_once_and_nothing_stays_charged(
    desk, begun, error
):
    desk.upstream.begins = [begun]
    talk = desk.begin()
    for name in "abc":
        with pytest.raises(error):
            await talk.to(name)
    assert desk.upstream.log == ["begin"]
    assert await desk.charged() == (0, 0, 0)


@pytest.mark.parametrize("answer", [Unreachable("gone"), SaidNo(Reply(421, "3.2", "bye"), "b")])
async def test_an_upstream_that_leaves_in_the_middle_takes_nobody_more(desk, answer):
    desk.upstream.refused = {"b@there.example": answer}
    talk = await desk.begin().to("a")
    for name in "bc":
        with pytest.raises((UpstreamTrouble, UpstreamAnswered)):
            await talk.to(name)
    assert "c@there.example" not in desk.upstream.log
    with pytest.raises(UpstreamTrouble):
        await talk.finish(Unreachable("gone"))
    assert await desk.charged() == (0, 0, 0)


@pytest.mark.parametrize(
    ("outcome", "error", "charged"),
    [
        (SaidNo(NO), UpstreamAnswered, (0, 0, 0)),
        (Unreachable("x"), UpstreamTrouble, (0, 0, 0)),
        (Lacks("8BITMIME"), UpstreamLacks, (0, 0, 0)),
        (Unknown("x"), UnknownOutcome, (2, 0, 2)),
    ],
)
async def test_the_outcome_of_the_message_is_that_of_all_its_sends(desk, outcome, error, charged):
    talk = await desk.begin().to("a", "b")
    with pytest.raises(error):
        await talk.finish(outcome)
    await talk.split.abort()
    assert await desk.charged() == charged


async def test_a_message_that_may_not_be_sent_gives_all_back_and_the_upstream_up(desk):
    talk = await desk.begin().to("a", "b")
    with pytest.raises(NotPermitted):
        await talk.finish(domain="elsewhere.example")
    assert await desk.charged() == (0, 0, 0)
    assert desk.upstream.log[-1] == "abort"


async def test_being_cancelled_while_the_upstream_is_asked_stays_charged(desk):
    talk = await desk.begin().to("a", "b")
    desk.upstream.wait = asyncio.Event()
    task = asyncio.ensure_future(talk.finish())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await desk.charged() == (2, 0, 2)


async def test_an_abort_while_the_message_is_under_way_touches_nothing(desk):
    talk = await desk.begin().to("a")
    desk.upstream.wait = asyncio.Event()
    task = asyncio.ensure_future(talk.finish())
    await asyncio.sleep(0.01)
    await talk.split.abort()
    desk.upstream.wait.set()
    assert (await task).reply == OK
    assert await desk.charged() == (1, 1, 0)


# The From header decides.


async def test_another_domain_of_the_tenant_moves_the_sends_to_its_route(desk):
    talk = await desk.begin().to("a", "b")
    await talk.finish(domain=desk.other.id.domain)
    assert await desk.charged() == (0, 0, 0)
    assert await desk.charged(desk.other) == (2, 2, 0)
    assert desk.upstream.log[-1] == "send"


async def test_a_route_without_room_takes_none_and_nothing_stays_charged(desk):
    warm = await desk.begin().to("x", "y")
    await warm.finish(domain=desk.other.id.domain)
    talk = await desk.begin().to("a", "b")
    with pytest.raises(WarmupLimit) as limit:
        await talk.finish(domain=desk.other.id.domain)
    assert limit.value.wall.route.id == desk.other.id
    assert await desk.charged() == (0, 0, 0)
    assert await desk.charged(desk.other) == (2, 2, 0)
    assert desk.upstream.log[-1] == "abort"


async def test_more_than_the_other_route_will_ever_take_is_refused_for_good(desk):
    talk = await desk.begin().to(*"abcd")
    with pytest.raises(NeverFits):
        await talk.finish(domain=desk.other.id.domain)


async def test_another_upstream_gets_a_transaction_of_its_own(desk):
    talk = await desk.begin().to("a", "b")
    await talk.finish(domain=desk.far.id.domain)
    assert (desk.upstream.log[-1], desk.second.log) == ("abort", ["deliver"])
    assert await desk.charged(desk.far) == (2, 2, 0)


async def test_a_class_from_the_header_takes_its_own_quota(desk):
    talk = await desk.begin().to("a")
    accepted = await talk.finish(extra=b"X-Warmup-Class: transactional\r\n")
    assert accepted.receipts[0].id == "ref1.2"
    assert await desk.charged() == (1, 1, 0)


async def test_a_message_that_ends_on_the_next_day_is_charged_to_that_day(desk):
    desk.clock.move(hours=11, minutes=59)
    talk = await desk.begin().to(*"abcde")
    desk.clock.move(minutes=2)
    await talk.finish()
    assert await desk.charged() == (5, 5, 0)
    with pytest.raises(WarmupLimit):
        await desk.begin().to("f")
    desk.clock.move(minutes=-2)
    assert await desk.charged() == (0, 0, 0)


# Rule 3.


async def sent_and_unheard(desk, *names):
    accepted = await (await desk.begin().to(*names)).finish()
    for receipt in accepted.receipts:
        await desk.charging.unheard(receipt)
    return accepted


async def test_a_retry_of_what_nobody_heard_of_is_not_sent_again(desk):
    await sent_and_unheard(desk, "a", "b")
    talk = await desk.begin(session=f"{HOUSE}.2").to("a", "b")
    accepted = await talk.finish()
    assert (accepted.reply, accepted.is_retry) == (RETRIED, True)
    assert desk.upstream.sent == ["a@there.example", "b@there.example"]
    assert desk.upstream.log[-1] == "abort"
    assert await desk.charged() == (2, 2, 0)


async def test_a_retry_with_other_recipients_reaches_only_those_that_were_not_reached(desk):
    await sent_and_unheard(desk, "a", "b")
    talk = await desk.begin(session=f"{HOUSE}.2").to("b", "c")
    accepted = await talk.finish()
    assert accepted.reply == OK
    assert sorted(desk.upstream.sent) == [f"{name}@there.example" for name in "abc"]
    assert desk.upstream.log[-2:] == ["abort", "deliver"]
    assert await desk.charged() == (3, 3, 0)
    assert len(accepted.receipts) == 2


async def test_what_was_heard_of_is_forgotten_for_every_recipient_and_sent_again(desk):
    await sent_and_unheard(desk, "a")
    accepted = await (await desk.begin(session=f"{HOUSE}.2").to("a", "b")).finish()
    for receipt in accepted.receipts:
        await desk.charging.heard(receipt)
    await (await desk.begin(session=f"{HOUSE}.3").to("a", "b")).finish()
    assert desk.upstream.sent == [f"{name}@there.example" for name in "abab"]


async def test_a_refused_rest_leaves_the_reached_ones_remembered(desk):
    await sent_and_unheard(desk, "a")
    talk = await desk.begin(session=f"{HOUSE}.2").to("a", "b")
    with pytest.raises(UpstreamAnswered):
        await talk.finish(SaidNo(NO))
    await (await desk.begin(session=f"{HOUSE}.3").to("a", "b")).finish()
    assert desk.upstream.sent == ["a@there.example", "b@there.example"]
    assert await desk.charged() == (2, 2, 0)


async def test_equal_mails_are_both_sent_while_the_first_client_is_there_or_without_an_id(desk):
    for session, message_id in [(1, "m1"), (2, "m1"), (3, None), (4, None)]:
        desk.live.add(f"{HOUSE}.{session}")
        talk = await desk.begin(session=f"{HOUSE}.{session}").to("a")
        accepted = await talk.finish(message_id=message_id)
        assert len(accepted.receipts) == (message_id is not None)
    assert len(desk.upstream.sent) == 4


async def test_a_client_that_left_while_the_upstream_is_asked_makes_its_retry_wait(desk):
    desk.upstream.wait = asyncio.Event()
    first = await desk.begin().to("a", "b")
    task = asyncio.ensure_future(first.finish())
    await asyncio.sleep(0.01)
    await desk.charging.left("ref1")
    retry = await desk.begin(session=f"{HOUSE}.2").to("b")
    with pytest.raises(StillUnderWay):
        await retry.finish()
    assert await desk.charged() == (2, 0, 0)
    desk.upstream.wait.set()
    await task
    retry = await desk.begin(session=f"{HOUSE}.2").to("b")
    assert (await retry.finish()).is_retry


async def test_a_client_that_left_before_its_message_was_known_is_noted_all_the_same(desk):
    desk.live.clear()
    await (await desk.begin().to("a")).finish()
    assert (await (await desk.begin(session=f"{HOUSE}.2").to("a")).finish()).is_retry


async def test_another_relay_is_asked_once_about_all_recipients_of_one_attempt(desk):
    await (await desk.begin(session="other.1").to(*"abc")).finish()
    retry = await desk.begin().to("a", "b")
    assert (await retry.finish()).is_retry
    assert desk.instances.asked == 1
