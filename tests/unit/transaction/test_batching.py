"""Several messages as one: reserved whole or not at all, settled each for itself."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import pytest

from relay.concurrency.background import Background
from relay.core.errors import (
    NeverFits,
    NotPermitted,
    StoreTrouble,
    UnknownOutcome,
    UpstreamAnswered,
    WarmupLimit,
)
from relay.core.mail.classify import classify
from relay.core.mail.message import Client, Envelope, Recipient, Submission
from relay.core.policy.policy import Excess
from relay.core.quota.campaign import Campaign
from relay.core.reply import Reply
from relay.core.tenants.tenancy import Route, RouteId, SendingDomain, Tenant, directory_of
from relay.ports.relay import Accepted
from relay.ports.upstream import SaidNo, Taken, Unknown
from relay.ports.web import BadMessageOfBatch
from relay.store.memory import MemoryStore
from relay.transaction.batching import Batching
from relay.transaction.charging import Charging
from relay.transaction.insisting import Insisting
from relay.transaction.preparing import Preparing
from tests.contract.world import HandClock, fresh_route, policy, provider_tiers
from tests.unit.transaction.known_providers import KnownProviders
from tests.unit.transaction.test_splitting import Instances, NoSigner, Settings

OK = Reply(250, "0.0", "Ok")
NO = Reply(550, "7.1", "no")


class Upstream:
    """Takes mail as `outcomes` say, by Message number; counts how much is with it at once."""

    def __init__(self):
        self.outcomes = {}
        self.sent = []
        self.at_once = self.most_at_once = 0

    async def deliver(self, message):
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        outcome = self.outcomes.get(message.ref, Taken(OK))
        if isinstance(outcome, Exception):
            raise outcome
        self.sent += [message.ref] if isinstance(outcome, Taken) else []
        return outcome


@dataclass
class Desk:
    cap: int = 5

    def __post_init__(self):
        self.clock = HandClock()
        self.store = MemoryStore(self.clock)
        self.upstream, self.second = Upstream(), Upstream()
        caps = {"google": provider_tiers((0, 2))}
        self.route = fresh_route(policy((0, self.cap), providers=caps))
        self.other = fresh_route(policy((0, 2)))
        first = fresh_route(replace(policy((0, 2)), excess=Excess.OVERFLOW))
        second = Route(RouteId(first.id.domain, "second"), policy((0, 9)), 1)
        self.walk = (first, second)
        walks = ((self.route,), (self.other,), self.walk)
        domains = [SendingDomain(walk[0].id.domain, "acme", walk) for walk in walks]
        self.tenant = Tenant("acme", domains=tuple(domains))
        settings = Settings(directory_of([self.tenant]))
        providers = KnownProviders(google="gmail.com")
        charging = Charging(
            self.store, Instances(), self.clock, Insisting(Background()), lambda _: True, providers
        )
        self.batching = Batching(
            settings, classify, charging, self.store,
            Preparing("relay.example.net", self.clock, NoSigner()),
            {"outbound": self.upstream, "second": self.second}, self.told,
        )  # fmt: skip
        self.stories = []

    async def told(self, submission, relaying, message):
        self.stories.append((submission.ref, message and message.domain.name))
        return await relaying

    def mail(self, ref, route=None, to=("b@other.example",)):
        domain = (route or self.route).id.domain
        envelope = Envelope(f"a@{domain}", tuple(map(Recipient, to)))
        content = f"From: a@{domain}\r\nMessage-ID: <{ref}@x>\r\n\r\nhi\r\n".encode()
        client = Client(self.tenant, "")
        return Submission(client, envelope, content, ref, "house.1")

    async def relay(self, *mails):
        return await self.batching.relay_all(mails)

    async def counts(self, route=None):
        route = route or self.route
        window = route.policy.window.at(self.clock.now())
        standing = await self.store.standing(route, window)
        return standing.charged, standing.sent, standing.lifetime


@pytest.fixture
def desk():
    return Desk()


async def test_all_are_sent_and_charged(desk):
    answers = await desk.relay(desk.mail("1"), desk.mail("2", to=("b@x.example", "c@x.example")))
    assert answers == [Accepted(OK, None), Accepted(OK, None)]
    name = desk.route.id.domain
    assert sorted(desk.upstream.sent) == ["1", "2"]
    assert sorted(desk.stories) == [("1", name), ("2", name)]
    assert await desk.counts() == (3, 3, 3)


async def test_one_too_many_and_none_is_sent(desk):
    await desk.relay(desk.mail("0"))
    with pytest.raises(WarmupLimit) as wall:
        await desk.relay(
            *(desk.mail(str(n)) for n in (1, 2, 3)), desk.mail("4", to=("a@x.io",) * 2)
        )
    assert wall.value.wall.wanted == 5
    assert desk.upstream.sent == ["0"]
    assert await desk.counts() == (1, 1, 1)


async def test_a_batch_that_no_day_has_room_for_is_told_to_be_split(desk):
    told = "recipients in one {}; test never allows more than 5 a day: split it"
    with pytest.raises(NeverFits) as refused:
        await desk.relay(*(desk.mail(str(n)) for n in range(6)))
    assert str(refused.value) == "6 " + told.format("batch")
    with pytest.raises(NeverFits) as refused:
        await desk.relay(desk.mail("1", to=("b@x.example",) * 7))
    assert str(refused.value) == "7 " + told.format("message")
    assert await desk.counts() == (0, 0, 0)


async def test_a_provider_of_some_of_them_is_a_wall_for_all(desk):
    mails = [desk.mail(str(n), to=(f"u{n}@gmail.com",)) for n in range(3)]
    await desk.relay(mails[0])
    with pytest.raises(WarmupLimit) as wall:
        await desk.relay(*mails[1:], desk.mail("x"))
    assert wall.value.wall.provider == "google"
    assert await desk.counts() == (1, 1, 1)
    assert len(await desk.relay(mails[1], desk.mail("x"))) == 2


async def test_a_wall_of_the_second_domain_gives_the_first_ones_back(desk):
    await desk.relay(desk.mail("0", desk.other))
    with pytest.raises(WarmupLimit):
        await desk.relay(desk.mail("1"), desk.mail("2", desk.other), desk.mail("3", desk.other))
    assert desk.upstream.sent == ["0"]
    assert await desk.counts() == (0, 0, 0)
    assert await desk.counts(desk.other) == (1, 1, 1)


async def test_answers_are_in_the_order_of_the_messages(desk):
    desk.upstream.outcomes = {"2": SaidNo(NO)}
    mails = [desk.mail("1", desk.other), desk.mail("2"), desk.mail("3", desk.other)]
    first, second, third = await desk.relay(*mails)
    assert (first, third) == (Accepted(OK, None),) * 2
    assert isinstance(second, UpstreamAnswered)


async def test_each_is_charged_for_what_became_of_it(desk):
    desk.upstream.outcomes = {"2": SaidNo(NO), "3": Unknown("lost")}
    _, refused, lost = await desk.relay(*(desk.mail(str(n)) for n in (1, 2, 3)))
    assert isinstance(refused, UpstreamAnswered)
    assert isinstance(lost, UnknownOutcome)
    assert await desk.counts() == (2, 1, 1)  # charged: the one sent and the one nobody knows of


async def test_a_bug_in_one_does_not_stop_the_others_and_stays_charged(desk):
    desk.upstream.outcomes = {"1": ZeroDivisionError()}
    with pytest.raises(ZeroDivisionError):
        await desk.relay(desk.mail("1"), desk.mail("2"))
    assert desk.upstream.sent == ["2"]
    assert await desk.counts() == (2, 1, 1)


async def test_a_message_that_is_not_permitted_stops_all_and_says_which(desk):
    foreign = fresh_route(policy())
    with pytest.raises(BadMessageOfBatch) as bad:
        await desk.relay(desk.mail("1"), desk.mail("2", foreign))
    assert (bad.value.number, type(bad.value.error)) == (1, NotPermitted)
    assert await desk.counts() == (0, 0, 0)


@pytest.mark.parametrize("is_divided", [False, True])
async def test_a_store_that_fails_while_it_divides_leaves_nothing_charged(
    desk, monkeypatch, is_divided
):
    divide = desk.store.divide

    async def failing(whole, parts):
        if is_divided:
            await divide(whole, parts)  # done, and the answer was lost
        raise StoreTrouble

    monkeypatch.setattr(desk.store, "divide", failing)
    with pytest.raises(StoreTrouble):
        await desk.relay(desk.mail("1"), desk.mail("2"))
    assert desk.upstream.sent == []
    assert await desk.counts() == (0, 0, 0)


async def test_no_more_than_ten_are_with_the_upstream_at_once():
    desk = Desk(cap=100)
    await desk.relay(*(desk.mail(str(n)) for n in range(40)))
    assert desk.upstream.most_at_once == 10
    assert await desk.counts() == (40, 40, 40)


async def test_what_no_upstream_has_heard_of_is_given_back_when_a_batch_is_cut_off(monkeypatch):
    desk, all_are_with_it = Desk(cap=100), asyncio.Event()

    async def never(message):
        desk.upstream.at_once += 1
        if desk.upstream.at_once == 10:
            all_are_with_it.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(desk.upstream, "deliver", never)
    batch = asyncio.ensure_future(desk.relay(*(desk.mail(str(n)) for n in range(40))))
    await asyncio.wait_for(all_are_with_it.wait(), 5)
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch
    assert await desk.counts() == (10, 0, 0)  # nobody knows of those that were with it


async def test_a_batch_takes_the_first_route_that_has_room_for_all_of_it(desk):
    first, second = desk.walk
    small = [desk.mail("1", first), desk.mail("2", first)]
    await desk.relay(*small)
    assert (desk.upstream.sent, desk.second.sent) == (["1", "2"], [])
    big = [desk.mail(ref, first) for ref in "345"]
    await desk.relay(*big)
    assert sorted(desk.second.sent) == ["3", "4", "5"]
    assert await desk.counts(first) == (2, 2, 2)
    assert await desk.counts(second) == (3, 3, 3)


async def test_a_batch_is_never_spread_over_two_routes(desk):
    first, second = desk.walk
    await desk.relay(*[desk.mail(ref, first) for ref in "abc"])
    assert (desk.upstream.sent, sorted(desk.second.sent)) == ([], ["a", "b", "c"])
    with pytest.raises(WarmupLimit):
        await desk.relay(*[desk.mail(str(n), first) for n in range(7)])
    assert (await desk.counts(first), await desk.counts(second)) == ((0, 0, 0), (3, 3, 3))


async def test_a_campaign_of_a_batch_keeps_to_its_route(desk):
    first, second = desk.walk
    campaign = Campaign("digest", 86_400, ("outbound", "second"))

    def of_campaign(submission, directory):
        return replace(classify(submission, directory), campaign=campaign)

    desk.batching = replace(desk.batching, classify=of_campaign)
    await desk.relay(*[desk.mail(ref, first) for ref in "abc"])
    await desk.relay(desk.mail("d", first))
    assert desk.second.sent[-1] == "d"
    assert await desk.counts(first) == (0, 0, 0)
    assert await desk.counts(second) == (4, 4, 4)


async def test_what_was_refused_is_told_of_every_message(desk):
    await desk.relay(desk.mail("sent"))
    desk.stories.clear()
    with pytest.raises(WarmupLimit):
        await desk.relay(*[desk.mail(str(n)) for n in range(5)])
    assert [ref for ref, _ in desk.stories] == list("01234")


async def test_of_a_batch_with_a_bad_message_only_that_one_is_told(desk):
    bad = replace(desk.mail("bad"), client=Client(Tenant("globex"), ""))
    with pytest.raises(BadMessageOfBatch):
        await desk.relay(desk.mail("good"), bad)
    assert desk.stories == [("bad", None)]
