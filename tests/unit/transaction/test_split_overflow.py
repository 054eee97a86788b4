"""`recipients: split` with `excess: overflow`: the first recipient chooses the transaction's route."""

from dataclasses import replace

import pytest

from relay.core.errors import StoreTrouble, UpstreamAnswered, UpstreamTrouble, WarmupLimit
from relay.core.policy.policy import Excess
from relay.core.reply import Reply
from relay.core.tenants.tenancy import Route, RouteId, SendingDomain, Tenant, directory_of
from relay.ports.upstream import SaidNo, Unreachable
from tests.contract.world import policy
from tests.unit.transaction.test_splitting import OK, Desk

CLASS = b"X-Warmup-Class: transactional\r\n"


@pytest.fixture
def desk() -> Desk:
    """`route` takes five sends, two of them to google, and overflows to `warm`, which takes four.

    `other` is a domain of the tenant that is not split: two sends, then three over `far`.
    """
    desk = Desk()
    overflows = {"excess": Excess.OVERFLOW}
    desk.route = replace(desk.route, policy=replace(desk.route.policy, **overflows))
    name, other = desk.route.id.domain, desk.other.id.domain
    desk.warm = Route(RouteId(name, "second"), policy((0, 4)), 1)
    desk.other = replace(desk.other, policy=policy((0, 2), **overflows))
    desk.far = Route(RouteId(other, "second"), policy((0, 3)), 1)
    domains = (
        SendingDomain(name, "acme", (desk.route, desk.warm)),
        SendingDomain(other, "acme", (desk.other, desk.far)),
    )
    desk.tenant = Tenant("acme", domains=domains)
    desk.settings.directory = directory_of([desk.tenant])
    return desk


async def test_what_the_route_of_the_first_recipient_does_not_take_goes_with_the_next_transaction(
    desk,
):
    talk = await desk.begin().to(*"abcde")
    with pytest.raises(WarmupLimit):
        await talk.to("f")
    assert (await talk.finish()).reply == OK
    talk = await desk.begin().to(*"fghi")
    with pytest.raises(WarmupLimit) as told:
        await talk.to("j")
    assert told.value.wall.route == desk.warm
    await talk.finish()
    assert await desk.charged() == (5, 5, 0)
    assert await desk.charged(desk.warm) == (4, 4, 0)
    assert len(desk.upstream.sent) == 5
    assert desk.second.sent == [f"{name}@there.example" for name in "fghi"]
    assert desk.second.log[0] == "begin"


async def test_where_no_route_takes_the_first_recipient_the_next_one_may_choose(desk):
    await (await desk.begin().to("a@gmail.com", "b@gmail.com")).finish()
    await desk.store.pause(desk.warm.id, "", desk.clock.now())
    talk = desk.begin()
    with pytest.raises(WarmupLimit, match="for google"):
        await talk.to("c@gmail.com")
    await talk.to("d")
    await talk.finish()
    assert await desk.charged() == (3, 3, 0)
    assert desk.second.log == []


async def test_a_provider_that_is_full_takes_the_next_route_when_it_comes_first(desk):
    await (await desk.begin().to("a@gmail.com", "b@gmail.com")).finish()
    await (await desk.begin().to("c@gmail.com")).finish()
    assert desk.second.sent == ["c@gmail.com"]
    assert await desk.charged(desk.warm) == (1, 1, 0)


@pytest.mark.parametrize(
    ("begun", "error"),
    [(Unreachable("down"), UpstreamTrouble), (SaidNo(Reply(451, "3.0", "no")), UpstreamAnswered)],
)
async def test_trouble_of_the_upstream_does_not_lead_to_the_next_route(desk, begun, error):
    desk.upstream.begins = [begun]
    talk = desk.begin()
    for _ in range(2):
        with pytest.raises(error):
            await talk.to("a")
    assert desk.second.log == []
    assert await desk.charged() == (0, 0, 0)


async def test_trouble_of_the_store_does_not_either(desk, monkeypatch):
    async def away(*_words, **_more):
        raise StoreTrouble

    monkeypatch.setattr(desk.store, "reserve", away)
    with pytest.raises(StoreTrouble):
        await desk.begin().to("a")
    assert desk.upstream.log == desk.second.log == []


async def test_a_retry_over_the_other_route_is_known_recipient_by_recipient(desk):
    await (await desk.begin().to(*"abcde")).finish(message_id="x")
    lost = await (await desk.begin(session="house.2").to("f", "g")).finish()
    for receipt in lost.receipts:
        await desk.charging.unheard(receipt)
    desk.clock.move(days=1)
    again = await (await desk.begin(session="house.3").to("g", "h")).finish()
    assert again.reply == OK
    assert desk.second.sent == ["f@there.example", "g@there.example"]
    assert desk.upstream.sent[5:] == ["h@there.example"]
    assert await desk.charged() == (1, 1, 0)


async def test_another_class_in_the_content_moves_the_sends_to_the_first_route_with_room(desk):
    talk = await desk.begin().to("d", "e")
    await desk.store.pause(desk.route.id, "", desk.clock.now())
    await talk.finish(extra=CLASS)
    assert desk.upstream.log[-1] == "abort"
    assert desk.second.log == ["deliver"]
    assert await desk.charged(desk.warm) == (2, 2, 0)


async def test_another_domain_is_asked_for_room_for_all_of_them_route_by_route(desk):
    talk = await desk.begin().to(*"abc")
    await talk.finish(domain=desk.other.id.domain)
    assert await desk.charged(desk.other) == (0, 0, 0)
    assert await desk.charged(desk.far) == (3, 3, 0)
    assert desk.second.log == ["deliver"]
    talk = await desk.begin().to(*"abc")
    with pytest.raises(WarmupLimit):
        await talk.finish(domain=desk.other.id.domain)
    assert await desk.charged() == (0, 0, 0)
