"""Who hears that a message was taken before it is settled: only where that goes out at once."""

from types import SimpleNamespace

import pytest

from relay.core.errors import UpstreamTrouble
from relay.core.mail.message import Outgoing
from relay.pipeline import Pipeline
from relay.ports.upstream import Unreachable
from tests.unit.transaction.test_charging import Desk

NOTHING = SimpleNamespace(begin=None)


class Preparing:
    async def signed(self, message):
        return Outgoing(message.submission.envelope, b"", message.body, message.submission.ref)


@pytest.fixture
def desk():
    return Desk()


def relaying(desk, heard, *outcomes):
    """`Pipeline.relay` of one message; `heard` gets what is told early, and what was sent by then."""
    message = desk.message()
    desk.upstream.outcomes = list(outcomes)
    pipeline = Pipeline(
        SimpleNamespace(directory=None),
        lambda _submission, _directory: message,
        desk.charging,
        Preparing(),
        {desk.route.id.upstream: desk.upstream},
        NOTHING,
    )
    counts = desk.store._routes  # as the store has them at that very moment

    def taken(accepted):
        [charge] = counts[desk.route.id].charges.values()
        heard.append((accepted.reply.code, charge.verdict))

    return pipeline.relay(message.submission, taken)


async def test_it_is_told_when_the_upstream_has_it_and_before_it_is_settled(desk):
    heard = []
    accepted = await relaying(desk, heard)
    assert heard == [(250, None)]
    assert accepted.reply.code == 250
    assert (await desk.standing()).sent == 1


async def test_it_is_not_told_where_the_settlement_has_to_wait(desk, monkeypatch):
    monkeypatch.setattr(desk.store, "says_at_once", lambda: False)
    heard = []
    accepted = await relaying(desk, heard)
    assert heard == []
    assert accepted.reply.code == 250
    assert (await desk.standing()).sent == 1


async def test_what_was_not_taken_is_not_told(desk):
    heard = []
    with pytest.raises(UpstreamTrouble):
        await relaying(desk, heard, Unreachable("x"))
    assert heard == []
    assert (await desk.standing()).charged == 0
