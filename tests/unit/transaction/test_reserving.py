"""The walk over a domain's routes: which takes a message, and what it hears if none does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from relay.core.errors import NeverFits, StillUnderWay, StoreTrouble, WarmupLimit
from relay.core.mail.message import Recipient
from relay.core.policy.policy import EXEMPT, Excess, MailClass
from relay.core.quota.campaign import Campaign
from relay.core.quota.reservation import Elsewhere, Mark, Verdict, WallKind
from relay.core.tenants.tenancy import Route, RouteId, SendingDomain
from relay.store.memory import MemoryStore
from relay.transaction.reserving import Reserving, Wanted
from relay.transaction.retries import Retries
from tests.contract.world import NOON, HandClock, policy, provider_tiers
from tests.unit.transaction.known_providers import KnownProviders

DOMAIN = "news.acme.example"
OVER = {"excess": Excess.OVERFLOW}
WEEK_S = 7 * 86_400


class AskedStore(MemoryStore):
    """Remembers over which upstream it was asked, in turn; away for those in `away`."""

    def __init__(self, clock):
        super().__init__(clock)
        self.asked = []
        self.away = set()

    async def reserve(self, demand, *, anew=False):
        self.asked.append(demand.route.id.upstream + ("+" if anew else ""))
        if demand.route.id.upstream in self.away:
            raise StoreTrouble
        return await super().reserve(demand, anew=anew)


class Instances:
    own = "house"

    async def is_alive(self, _instance):
        return False


@dataclass
class Walk:
    """A domain with `policies` for its routes: `new`, then `warm`, then `last`."""

    policies: list
    live: set = field(default_factory=set)
    number: int = 0

    def __post_init__(self):
        self.clock = HandClock()
        self.store = AskedStore(self.clock)
        retries = Retries(Instances(), self.live.__contains__)
        providers = KnownProviders(google="gmail.com")
        self.reserving = Reserving(self.store, self.clock, retries, providers)
        names = ("new", "warm", "last")
        self.domain = SendingDomain(
            DOMAIN,
            "acme",
            tuple(
                Route(RouteId(DOMAIN, name), each, place)
                for place, (name, each) in enumerate(zip(names, self.policies, strict=False))
            ),
        )

    async def take(self, count=1, to="there.example", campaign=None, fingerprint=None, **more):
        """The upstream of the route that takes the message; its charge stays in `self.charge`."""
        self.number += 1
        recipients = tuple(Recipient(f"r{n}@{to}") for n in range(count))
        upstreams = tuple(route.id.upstream for route in self.domain.walk)
        wanted = Wanted(
            recipients,
            more.get("mail_class", MailClass.MARKETING),
            f"ref{self.number}",
            more.get("session", "house.1"),
            fingerprint,
            campaign and Campaign(campaign, WEEK_S, upstreams),
        )
        self.charge = await self.reserving.reserve(self.domain.walk, wanted)
        return self.charge.reservation.route.upstream

    async def taken(self, *words, **more):
        upstream = await self.take(*words, **more)
        await self.settle(Verdict.SENT)
        return upstream

    async def settle(self, verdict):
        await self.store.settle(self.charge.reservation, verdict, self.clock.now())

    async def limit(self, **more):
        with pytest.raises(WarmupLimit) as told:
            await self.take(**more)
        return told.value.wall


def new(cap=5, **more):
    return policy((0, cap), **OVER, **more)


async def test_the_first_route_is_filled_and_then_the_next_one_takes_the_rest():
    walk = Walk([new(5), policy((0, 3))])
    took = [await walk.taken() for _ in range(8)]
    assert took == ["new"] * 5 + ["warm"] * 3
    wall = await walk.limit()
    assert wall.route.id.upstream == "new"  # both open at midnight: the earlier in order is told


async def test_a_message_goes_as_a_whole_to_the_first_route_that_has_room_for_all_of_it():
    walk = Walk([new(5), EXEMPT])
    assert [await walk.taken(n) for n in (3, 3, 2, 1)] == ["new", "warm", "new", "warm"]


@pytest.mark.parametrize(
    ("walls", "kind"),
    [
        ({"providers": {"google": provider_tiers((0, 1))}}, WallKind.PROVIDER),
        ({"headroom_ppm": {MailClass.TRANSACTIONAL: 800_000}}, WallKind.HEADROOM),
        ({"days_off": frozenset({NOON.weekday()})}, WallKind.DAY_OFF),
        ({"rolling": True}, WallKind.DOMAIN),
    ],
)
async def test_any_wall_of_the_policy_leads_on(walls, kind):
    walk = Walk([new(5, **walls), policy((0, 50), **OVER), policy((0, 50))])
    while await walk.taken(to="gmail.com") == "new":
        assert walk.number < 10
    assert walk.store.asked[-2:] == ["new", "warm"]
    await walk.store.pause(walk.domain.routes[1].id, "", walk.clock.now())
    await walk.store.pause(walk.domain.routes[2].id, "", walk.clock.now())
    assert (await walk.limit(to="gmail.com")).kind is kind


async def test_a_full_provider_overflows_for_that_provider_only():
    walk = Walk([new(5, providers={"google": provider_tiers((0, 1))}), EXEMPT])
    took = [await walk.taken(to=to) for to in ("gmail.com", "gmail.com", "web.de")]
    assert took == ["new", "warm", "new"]


async def test_a_paused_route_is_passed_by_until_it_is_resumed():
    walk = Walk([new(), EXEMPT])
    await walk.store.pause(walk.domain.routes[0].id, "by operator", walk.clock.now())
    assert await walk.taken() == "warm"
    await walk.store.resume(walk.domain.routes[0].id)
    assert await walk.taken() == "new"


async def test_a_policy_that_defers_ends_the_walk():
    walk = Walk([new(1), policy((0, 1)), EXEMPT])
    assert [await walk.taken(), await walk.taken()] == ["new", "warm"]
    await walk.limit()
    assert "last" not in walk.store.asked


async def test_overflow_on_the_only_route_defers():
    walk = Walk([new(1)])
    assert await walk.taken() == "new"
    assert "1 of 1 sent today (day 0, test)" in str(WarmupLimit(await walk.limit()))


async def test_trouble_of_the_store_ends_the_walk_and_leads_nowhere():
    walk = Walk([new(), EXEMPT])
    walk.store.away = {"new"}
    with pytest.raises(StoreTrouble):
        await walk.take()
    assert walk.store.asked == ["new"]


# What is told when no route takes it.


async def test_the_wall_that_opens_first_is_told():
    saturday_too = frozenset(range(7)) - {(NOON + timedelta(days=2)).weekday()}
    walk = Walk([new(days_off=saturday_too), policy((0, 1))])
    await walk.taken()
    wall = await walk.limit()
    assert wall.route.id.upstream == "warm"
    assert wall.opens_at == NOON.replace(hour=0) + timedelta(days=1)


async def test_a_pause_is_told_only_where_nothing_else_is_to_tell():
    walk = Walk([new(), policy((0, 1))])
    await walk.taken()
    await walk.store.pause(walk.domain.routes[0].id, "by operator", walk.clock.now())
    assert await walk.taken() == "warm"
    assert (await walk.limit()).kind is WallKind.DOMAIN
    await walk.store.pause(walk.domain.routes[1].id, "too", walk.clock.now())
    assert (await walk.limit()).standing.reason == "by operator"


async def test_a_message_too_wide_for_today_opens_on_the_day_it_fits():
    """The first route would open tomorrow, but only fits in ten days; the second in five."""
    rising = policy((0, 5), (10, 50), **OVER)
    walk = Walk([rising, policy((0, 5), (5, 50))])
    wall = await walk.limit(count=20)
    assert wall.route.id.upstream == "warm"
    assert (wall.fits_on - NOON.date()).days == 5


async def test_only_what_no_route_will_ever_take_is_refused_for_good():
    walk = Walk([new(5), policy((0, 5), (5, 9))])
    assert (await walk.limit(count=9)).route.id.upstream == "warm"
    with pytest.raises(NeverFits, match="never allows more than 9 a day"):
        await walk.take(10)


async def test_a_wide_message_goes_over_the_route_that_takes_it():
    assert await Walk([new(5), EXEMPT]).taken(10) == "warm"


# Rule 3 across routes.


async def test_a_retry_of_what_went_over_the_second_route_is_known_when_the_first_has_room():
    walk = Walk([new(1), EXEMPT])
    await walk.taken()
    assert await walk.taken(fingerprint="f") == "warm"
    await walk.store.left(walk.charge.reservation)
    walk.clock.move(days=1)
    await walk.take(fingerprint="f", session="house.2")
    assert walk.charge.is_retry
    await walk.store.heard(walk.charge.reservation)
    assert await walk.taken(fingerprint="f", session="house.3") == "new"


async def test_a_retry_of_what_went_over_the_first_route_is_known_when_it_is_full():
    walk = Walk([new(1), EXEMPT])
    assert await walk.taken(fingerprint="f") == "new"
    await walk.store.left(walk.charge.reservation)
    await walk.take(fingerprint="f", session="house.2")
    assert walk.charge.is_retry


async def test_a_retry_while_the_attempt_over_another_route_is_open_is_deferred():
    walk = Walk([new(1), EXEMPT])
    walk.clock.move(hours=11, minutes=55)
    await walk.taken()
    assert await walk.take(fingerprint="f") == "warm"
    first = walk.charge.reservation
    await walk.store.left(first)
    walk.clock.move(minutes=10)  # midnight: the first route has room again
    with pytest.raises(StillUnderWay):
        await walk.take(fingerprint="f", session="house.2")
    await walk.store.settle(first, Verdict.REFUND, walk.clock.now())
    assert await walk.taken(fingerprint="f", session="house.2") == "new"


async def test_a_mail_of_its_own_stays_one_for_the_rest_of_the_walk():
    walk = Walk([new(1), EXEMPT], live={"house.1"})
    await walk.taken(fingerprint="f")
    assert await walk.taken(fingerprint="f", session="house.2") == "warm"
    assert walk.store.asked == ["new", "new", "new+", "warm+"]


# Campaigns.


async def test_a_campaign_stays_where_its_first_message_went_and_meets_that_routes_walls():
    walk = Walk([new(2), policy((0, 5))])
    assert [await walk.taken(campaign="a") for _ in range(2)] == ["new", "new"]
    assert (await walk.limit(campaign="a")).route.id.upstream == "new"
    assert await walk.taken(campaign="b") == "warm"
    walk.clock.move(days=1)
    assert [await walk.taken(campaign=name) for name in "aba"] == ["new", "warm", "new"]
    assert walk.store.asked[-4:] == ["new", "new", "warm", "new"]


async def test_a_campaign_on_the_second_route_is_deferred_though_the_first_has_room():
    walk = Walk([new(1), policy((0, 2))])
    await walk.taken()
    assert await walk.taken(2, campaign="a") == "warm"
    walk.store.asked.clear()
    await walk.store.graduate(walk.domain.routes[0].id, walk.clock.now())
    assert (await walk.limit(campaign="a")).route.id.upstream == "warm"
    assert walk.store.asked == ["new", "warm"]


async def test_a_campaign_whose_first_message_was_not_taken_is_free_again():
    walk = Walk([new(1), EXEMPT])
    await walk.taken()
    assert await walk.take(campaign="a") == "warm"
    await walk.settle(Verdict.REFUND)
    walk.clock.move(days=1)
    assert await walk.taken(campaign="a") == "new"


async def test_a_message_too_wide_for_its_campaigns_route_is_deferred_while_there_are_others():
    walk = Walk([new(5), EXEMPT])
    assert await walk.taken(campaign="a") == "new"
    wall = await walk.limit(count=10, campaign="a")
    assert (wall.route.id.upstream, wall.never_fits) == ("new", True)
    walk.clock.move(seconds=WEEK_S)
    assert await walk.taken(10, campaign="a") == "warm"


async def test_a_message_too_wide_for_the_only_route_is_refused_though_its_campaign_is_kept():
    walk = Walk([new(5)])
    assert await walk.taken(campaign="a") == "new"
    with pytest.raises(NeverFits):
        await walk.take(10, campaign="a")


async def test_a_campaign_fixed_while_its_message_was_on_the_walk_is_followed():
    """Another relay gives the campaign to the first route, after this one found that full."""
    walk = Walk([new(2), EXEMPT])
    await walk.taken()
    rivals = []

    async def reserve(demand, *, anew=False):
        found = await MemoryStore.reserve(walk.store, demand, anew=anew)
        if not rivals:
            rivals.append("under way")
            rivals.append(await walk.take(campaign="a"))
        return found

    walk.store.reserve = reserve
    assert (await walk.limit(count=2, campaign="a")).route.id.upstream == "new"
    assert rivals[1] == "new"


async def test_a_campaign_that_is_never_where_it_is_said_to_be_is_local_trouble():
    walk = Walk([new(), EXEMPT])
    asked = []

    async def reserve(demand, *, anew=False):
        asked.append((demand.route.id.upstream, anew))
        return Elsewhere("new" if demand.route.id.upstream == "warm" else "warm")

    walk.store.reserve = reserve
    with pytest.raises(StoreTrouble):
        await walk.take(campaign="a")
    assert asked == [("new", False), ("warm", False)]


# The early answer.


async def test_a_peek_speaks_only_when_every_route_is_full():
    walk = Walk([new(1), policy((0, 1))])
    await walk.taken()
    await walk.reserving.peek(walk.domain.walk, 1)
    assert await walk.taken(fingerprint="f") == "warm"
    await walk.reserving.peek(walk.domain.walk, 1)  # might be the retry
    await walk.store.heard(walk.charge.reservation)
    with pytest.raises(WarmupLimit):
        await walk.reserving.peek(walk.domain.walk, 1)


async def test_marks_of_another_session_are_told_by_route_and_domain_alike():
    walk = Walk([new(1), EXEMPT])
    await walk.taken()
    await walk.taken(fingerprint="f", session="house.7")
    assert await walk.store.attempts(DOMAIN, ["f"], "", walk.clock.now()) == [
        {"house.7": Mark.TAKEN}
    ]


async def test_many_at_once_fill_the_first_route_to_its_cap_and_lose_none():
    walk = Walk([new(20), policy((0, 30))])
    found = await asyncio.gather(*(walk.take() for _ in range(60)), return_exceptions=True)
    assert sum(isinstance(each, WarmupLimit) for each in found) == 10
    assert (found.count("new"), found.count("warm")) == (20, 30)
