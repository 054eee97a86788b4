"""The simulation of a large relay: does it queue, spread and count as it says?"""

from dataclasses import replace

import pytest
from redis.crc import key_slot

from bench.simulation.costs import Costs, Layout, Load
from bench.simulation.peak import Fate, Fault, Outcome, Peak
from bench.simulation.placement import limits, placed, shard_of
from bench.simulation.warmup import Ramps, storm
from relay.settings.load import load_policy

LOAD = Load(messages_a_day=1e8, domains=20_000)
LAYOUT = Layout(groups=3, nodes=2, cores=2, shards=4)
RATE_A_S = 2000.0


def played(fault: Fault | None = None, rate_a_s: float = RATE_A_S) -> Outcome:
    return Peak(placed(LOAD, LAYOUT), LOAD, LAYOUT, Costs(), fault=fault).run(rate_a_s, 2.0)


def test_one_server_makes_its_queue_as_long_as_pollaczek_and_khinchine_have_it() -> None:
    """For service of one length the wait is rho / (2 (1 - rho)) services."""
    layout = Layout(groups=1, nodes=1, cores=1, shards=1)
    load = Load(domains=1, messages_a_connection=1e9)
    nothing = Costs(message=0, connection=0, look=0, settle=0, heard=0, standing=0, hop_ms=0)
    costs = replace(nothing, reserve=100)
    for used in (0.5, 0.8):
        found = Peak(placed(load, layout), load, layout, costs).run(used * 1e4, 20.0)
        mean_us = sum(found.times_s) / len(found.times_s) * 1e6
        assert mean_us == pytest.approx(100 + 100 * used / (2 * (1 - used)), rel=0.05)
        assert found.shards == [pytest.approx(used, rel=0.01)]


def test_every_message_has_one_fate() -> None:
    assert played().fates == {Fate.ACCEPTED: 4000}


def test_a_core_that_has_more_to_do_than_it_can_makes_clients_wait() -> None:
    fast, slow = played(), played(rate_a_s=20_000)
    assert max(fast.workers) < 1 < max(slow.workers)
    assert slow.percentile_ms(0.99) > 20 * fast.percentile_ms(0.99)


def test_what_was_under_way_on_a_node_that_dies_is_lost_and_stays_charged() -> None:
    """With 100 ms at the upstream: a tenth of a second's mail of that node."""
    found = played(Fault(1.0))
    shares = placed(LOAD, LAYOUT).of_groups(LAYOUT)
    lost = found.fates[Fate.BROKEN_CHARGED]
    assert lost == pytest.approx(RATE_A_S * max(shares) / 2 * 0.1, rel=0.4)
    assert found.fates.total() == 4000
    assert found.fates[Fate.ACCEPTED] == 4000 - lost - found.fates[Fate.BROKEN]


def test_while_a_shard_is_away_its_domains_are_deferred_and_no_others() -> None:
    found = played(Fault(0.5, 1.0, is_shard=True))
    share = max(placed(LOAD, LAYOUT).of_shards(LAYOUT))
    assert found.fates[Fate.DEFERRED] == pytest.approx(RATE_A_S * share, rel=0.1)
    assert found.fates.total() == 4000


def test_a_domain_is_where_its_hash_slot_is() -> None:
    for name in ("a.example", "news.acme.example", "xn--mnchen-3ya.example"):
        assert shard_of(name, 16_384) == key_slot(name.encode())
        assert shard_of(name, 2) == key_slot(name.encode()) // 8192


def test_groups_are_given_equal_parts_and_shards_what_they_hash_to() -> None:
    placement = placed(LOAD, LAYOUT)
    assert sum(placement.shares) == pytest.approx(1)
    assert max(placement.of_groups(LAYOUT)) == pytest.approx(1 / 3, rel=0.01)
    assert sum(placement.of_shards(LAYOUT)) == pytest.approx(1)
    assert max(placement.of_shards(LAYOUT)) > 0.26


def test_what_fills_up_first_is_told_first() -> None:
    found = limits(placed(LOAD, LAYOUT), LOAD, LAYOUT, Costs())
    assert [each.full_at_a_s for each in found] == sorted(each.full_at_a_s for each in found)
    largest = next(each for each in found if each.part.startswith("the largest domain"))
    share = placed(LOAD, LAYOUT).shares[0]
    assert largest.full_at_a_s == pytest.approx(1e6 / Costs().stored / share)


def test_a_ramp_with_room_for_all_turns_nobody_away() -> None:
    ramps = Ramps(load_policy("calendar-14-day"))
    few = storm(1.0, ramps, [0.5, 0.5], Load(messages_a_day=40))
    assert (few.wanted, few.sent, few.waiting, few.vain_a_s) == (40, 40, 0, 0)


def test_what_a_ramp_holds_back_comes_again_every_4000_seconds() -> None:
    ramps = Ramps(load_policy("calendar-14-day"))
    found = storm(1.0, ramps, [1.0], Load(messages_a_day=1_000_000))
    least, most = 0.5 * found.waiting / 4000, found.waiting / 4000 + found.wanted / 86_400
    assert least < found.vain_a_s <= most
    assert found.sent + found.waiting > found.wanted


def test_a_ramp_by_what_was_sent_is_refused() -> None:
    with pytest.raises(ValueError, match="lifetime-tiers"):
        Ramps(load_policy("lifetime-tiers"))
