"""`room_left` says what `wall_before` says, where only the number of sends is known."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as some

from relay.core.policy.pacing import Even, HourlyShare
from relay.core.policy.policy import MailClass
from relay.core.policy.ramp import Advance
from relay.core.quota.reservation import Standing, room_left, wall_before
from tests.contract.world import NOON, fresh_route, policy, share

CAPS = some.integers(0, 30) | some.none()
COUNTS = some.integers(0, 30)

POLICIES = some.builds(
    lambda first, second, advance, rolling, smoothing, days_off, headroom: policy(
        (0, first),
        (3, second),
        advance=advance,
        rolling=rolling,
        smoothing=smoothing,
        days_off=days_off,
        headroom_ppm=headroom,
        providers={"google": share(10)},
    ),
    CAPS,
    CAPS,
    some.sampled_from(Advance),
    some.booleans(),
    some.sampled_from([None, HourlyShare(200_000), Even(), Even(burst=2)]),
    some.frozensets(some.integers(0, 6), max_size=4),
    some.sampled_from([{}, {MailClass.TRANSACTIONAL: 100_000}]),
)
STANDINGS = some.builds(
    Standing,
    charged=COUNTS,
    first_day=some.none() | some.integers(NOON.toordinal() - 9, NOON.toordinal()),
    lifetime_open=COUNTS,
    sending_days=some.integers(0, 5),
    qualified_days=some.integers(0, 5),
    paced=COUNTS,
    graduated_at=some.sampled_from([None, NOON]),
    paused_at=some.sampled_from([None, NOON]),
    at=some.integers(0, 86_000).map(lambda s: NOON + timedelta(seconds=s)),
)


@given(POLICIES, STANDINGS, some.integers(1, 30))
def test_there_is_room_where_there_is_no_wall(the_policy, standing, wanted):
    route = fresh_route(the_policy)
    window = the_policy.window.at(standing.at)
    wall = wall_before(route, window, standing, wanted)
    room = room_left(route, window, standing)
    assert (room is None or wanted <= room) == (wall is None)
