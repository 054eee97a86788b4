"""The Lua scripts alone, against a real server: arity, answers, fields and expiries."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from relay.core.quota.campaign import Campaign
from relay.core.quota.reservation import Reservation, Verdict
from relay.store import answers, calls, commands, keys
from relay.store.commands import script
from relay.store.slices import epoch_ms
from tests.contract.world import HandClock, World, fresh_route, policy

HEADS = {
    "layout": ("layout",),
    "reserve": calls.RESERVE,
    "divide": ("divide",),
    "meter": ("meter",),
    "settle": calls.SETTLE,
    "attempt": ("attempt",),
    "attempts": calls.ATTEMPTS,
    "forgive": ("forgive",),
    "left": ("left",),
    "heard": ("heard",),
    "standing": calls.STANDING,
    "start": ("start",),
    "pause": ("pause",),
    "resume": ("resume",),
    "graduate": ("graduate",),
    "restart": ("restart",),
    "adopt": ("adopt",),
    "backup": ("backup",),
    "restore": ("restore",),
    "note": ("noting", "note"),
    "keep": ("noting", "keep"),
    "keep_domain": ("keep_domain",),
    "drop_domain": ("drop_domain",),
}
DAY_S = 86_400


def numbers(charged=0):
    """What telling.lua says of a route without a send."""
    return [charged, 0, 0, None, None, 0, 0, *[None] * 3, *[0] * 5, *[None] * 6]


class Scripts:
    """Runs what `calls.py` would run, with a plain client, and shows the raw answer."""

    def __init__(self, raw: redis.Redis) -> None:
        self.raw = raw
        self.world = World(None, HandClock(), fresh_route(policy()))

    def run(self, command):
        return self.raw.eval(command.script.text, *command.words[2:])

    def reserve(self, sends=1, fingerprint=None, session="i.1", **options):
        demand = self.world.demand(sends, fingerprint, session)
        answer = self.run(calls.reserve(demand, anew=options.get("anew", False), waits=True))
        return answer, answers.reservation_for(demand)

    def settle(self, reservation: Reservation, verdict: Verdict):
        return self.run(calls.settle(reservation, verdict, self.world.clock.now()))

    def hash_of(self, key: str) -> dict[str, str]:
        return self.raw.hgetall(key)

    @property
    def route_key(self) -> str:
        return keys.route(self.world.route.id)

    @property
    def window_key(self) -> str:
        return keys.window(self.world.route.id, self.world.window.label)

    @property
    def slices_key(self) -> str:
        return keys.slices(self.world.route.id)


@pytest.fixture
def scripts(raw) -> Scripts:
    return Scripts(raw)


def test_every_script_has_its_place_in_these_tests():
    folder = Path(commands.__file__).parent / "lua"
    names = {path.stem for path in folder.glob("*.lua")}
    assert names == {name for parts in HEADS.values() for name in parts}


@pytest.mark.parametrize("verb", HEADS)
@pytest.mark.parametrize("shape", [(0, 0), (0, 2), (2, 0), (1, 5), (10, 10)])
def test_a_script_refuses_a_wrong_number_of_keys_or_arguments(raw, verb, shape):
    many_keys, many_arguments = shape
    words = [f"{{x}}{n}" for n in range(many_keys)] + ["1"] * many_arguments
    with pytest.raises(redis.ResponseError, match=r"assert|arity|key|nil|argument"):
        raw.eval(script(*HEADS[verb]).text, many_keys, *words)
    assert raw.exists(*[f"{{x}}{n}" for n in range(9)]) == 0


def test_reserve_refuses_to_charge_nothing(scripts):
    with pytest.raises(redis.ResponseError, match="count"):
        scripts.reserve(0)


def test_reserve_answers_granted_with_the_room_after_it(scripts):
    answer, _ = scripts.reserve(3)
    assert answer == ["granted", 47]


def test_reserve_answers_walled_with_the_numbers_and_writes_nothing(scripts):
    answer, _ = scripts.reserve(51)
    assert answer == ["walled", [numbers(), [], []]]
    assert scripts.raw.exists(scripts.route_key, scripts.window_key, scripts.slices_key) == 0


def test_reserve_answers_seen_with_sessions_and_marks(scripts):
    _, reservation = scripts.reserve(2, "print", "i.1")
    scripts.settle(reservation, Verdict.SENT)
    answer, _ = scripts.reserve(2, "print", "i.2")
    assert answer == ["seen", ["i.1", "taken"]]


def test_the_window_hash_is_laid_out_as_documented(scripts):
    _, reservation = scripts.reserve(3)
    opens_s = epoch_ms(scripts.world.window.opens_at) // 1000
    noon = f"{opens_s + DAY_S // 2}-{opens_s + DAY_S // 2 + 900}"
    assert scripts.hash_of(scripts.window_key) == {
        "charged": "3",
        "sent": "0",
        "unknown": "0",
        "transactional": "0",
        "lifetime_open": "0",
        "restarts": "0",
        "cap": "50",
        "qualifies_from": "25",
        "progress": "days:0",
        "pace": "0-0",
        "paced": "0",
        f"r:{reservation.id}": f"3:{noon}:0:",
    }
    assert scripts.hash_of(scripts.slices_key) == {f"c:{noon}": "3"}
    assert scripts.hash_of(scripts.route_key) == {"open": scripts.world.window.label}


def test_settle_takes_the_record_away_and_answers_whether_it_was_there(scripts):
    _, reservation = scripts.reserve(3)
    assert scripts.settle(reservation, Verdict.SENT) == 1
    assert scripts.settle(reservation, Verdict.SENT) == 0
    assert f"r:{reservation.id}" not in scripts.hash_of(scripts.window_key)
    day = str(scripts.world.window.day)
    assert scripts.raw.hgetall(keys.days(scripts.world.route.id)) == {day: "3"}
    route = scripts.hash_of(scripts.route_key)
    assert (route["first_day"], route["lifetime"]) == (day, "3")
    assert route["first_at"] == str(epoch_ms(scripts.world.clock.now()))


def test_settle_refuses_a_verdict_that_it_does_not_know(scripts):
    _, reservation = scripts.reserve(1)
    command = calls.settle(reservation, Verdict.SENT, scripts.world.clock.now())
    words = ["lost" if word == "sent" else word for word in command.words[2:]]
    with pytest.raises(redis.ResponseError, match="verdict"):
        scripts.raw.eval(command.script.text, *words)


@pytest.mark.parametrize("verdict", Verdict)
def test_settle_after_the_window_has_expired_changes_nothing(scripts, verdict):
    _, reservation = scripts.reserve(3, "print")
    scripts.raw.delete(scripts.window_key, scripts.slices_key)
    assert scripts.settle(reservation, verdict) == 0
    assert scripts.raw.exists(scripts.window_key, scripts.slices_key) == 0
    assert "lifetime" not in scripts.hash_of(scripts.route_key)


@pytest.mark.parametrize("verdict", Verdict)
def test_settle_after_the_slices_have_expired_leaves_no_half_counts(scripts, verdict):
    _, reservation = scripts.reserve(3)
    scripts.raw.delete(scripts.slices_key)
    assert scripts.settle(reservation, verdict) == 1
    assert scripts.raw.exists(scripts.slices_key) == 0
    assert int(scripts.hash_of(scripts.window_key)["charged"]) >= 0


def test_a_refund_never_takes_more_than_there_is(scripts):
    _, reservation = scripts.reserve(3)
    scripts.raw.hset(scripts.window_key, "charged", 1)
    (field,) = scripts.hash_of(scripts.slices_key)
    scripts.raw.hset(scripts.slices_key, field, 2)
    scripts.settle(reservation, Verdict.REFUND)
    assert scripts.hash_of(scripts.window_key)["charged"] == "0"
    assert scripts.hash_of(scripts.slices_key) == {field: "0"}


def test_a_window_is_kept_for_three_days_after_it_closes(scripts):
    scripts.reserve(1)
    expected_ms = (3 * DAY_S + DAY_S // 2) * 1000  # it is noon
    for key in (scripts.window_key, scripts.slices_key):
        assert expected_ms - 5000 < scripts.raw.pttl(key) <= expected_ms


def test_a_clock_far_from_the_real_one_expires_nothing_early(scripts):
    scripts.world.clock.move(days=-4000)
    scripts.reserve(1)
    assert scripts.raw.pttl(scripts.window_key) > 3 * DAY_S * 1000
    scripts.world.clock.move(days=8000)
    scripts.reserve(1)
    assert scripts.raw.pttl(scripts.window_key) > 3 * DAY_S * 1000


def test_slices_older_than_three_days_and_two_hours_go_when_a_window_is_first_touched(scripts):
    scripts.reserve(1)
    scripts.world.clock.move(days=1)
    scripts.reserve(1)
    assert len(scripts.hash_of(scripts.slices_key)) == 2
    scripts.world.clock.move(days=3)
    scripts.reserve(1)
    assert len(scripts.hash_of(scripts.slices_key)) == 2
    pruned = int(scripts.hash_of(scripts.route_key)["pruned"])
    now = epoch_ms(scripts.world.clock.now())
    assert timedelta(milliseconds=now - pruned) == timedelta(days=4, minutes=-15)


def test_a_window_whose_slices_were_pruned_keeps_what_it_counted(scripts):
    scripts.reserve(40)
    scripts.world.clock.move(days=5)
    scripts.reserve(1)
    scripts.world.clock.move(days=-5)
    answer, _ = scripts.reserve(11)
    assert (answer[0], answer[1][0][0]) == ("walled", 40)
    answer, _ = scripts.reserve(10)
    assert answer == ["granted", 0]


def test_a_refund_for_a_pruned_slice_leaves_the_others_alone(scripts):
    _, old = scripts.reserve(4)
    scripts.world.clock.move(days=5)
    scripts.reserve(1)
    before = scripts.hash_of(scripts.slices_key)
    scripts.settle(old, Verdict.SENT)
    assert scripts.hash_of(scripts.slices_key) == before


def test_about_four_hundred_days_are_kept_for_charts(scripts):
    days = keys.days(scripts.world.route.id)
    today = scripts.world.window.day
    scripts.raw.hset(days, mapping={str(today - n): n for n in range(1, 500)})
    _, reservation = scripts.reserve(3)
    scripts.settle(reservation, Verdict.SENT)
    kept = sorted(int(day) for day in scripts.raw.hgetall(days))
    assert (len(kept), kept[0], kept[-1]) == (400, today - 399, today)


def test_the_memory_of_a_message_expires_by_itself(scripts):
    _, reservation = scripts.reserve(1, "print")
    domain = scripts.world.route.id.domain
    message = keys.message(domain, "print")
    scripts.run(calls.left(reservation, "print", scripts.world.clock.now()))
    assert 0 < scripts.raw.pttl(message) <= 15 * 60 * 1000
    scripts.settle(reservation, Verdict.SENT)
    for key in (message, keys.unheard(domain)):
        assert 6 * DAY_S * 1000 <= scripts.raw.pttl(key) + 5000 <= 9 * DAY_S * 1000


def test_expired_acceptances_leave_the_unheard_at_a_later_one(scripts):
    unheard = keys.unheard(scripts.world.route.id.domain)
    for n in range(3):
        _, reservation = scripts.reserve(1, f"print{n}")
        scripts.settle(reservation, Verdict.SENT)
    scripts.world.clock.move(days=9)
    _, reservation = scripts.reserve(1, "later")
    scripts.settle(reservation, Verdict.SENT)
    assert scripts.raw.zrange(unheard, 0, -1) == ["later:i.1"]


def test_heard_answers_whether_there_was_something_to_forget(scripts):
    _, reservation = scripts.reserve(1, "print")
    scripts.settle(reservation, Verdict.SENT)
    command = calls.heard(reservation, "print")
    assert [scripts.run(command), scripts.run(command)] == [1, 0]
    domain = scripts.world.route.id.domain
    assert scripts.raw.exists(keys.unheard(domain), keys.message(domain, "print")) == 0


def test_left_answers_the_mark_that_stands(scripts):
    _, reservation = scripts.reserve(1, "print")
    command = calls.left(reservation, "print", scripts.world.clock.now())
    assert [scripts.run(command), scripts.run(command)] == ["left", "left"]
    scripts.settle(reservation, Verdict.SENT)
    assert scripts.run(command) == "gone"
    scripts.run(calls.heard(reservation, "print"))
    assert scripts.run(command) is None


def test_layout_claims_an_empty_store_and_never_one_that_is_taken(raw):
    text = script("layout").text
    assert raw.eval(text, 1, "{x}layout", "1") == "1"
    assert raw.eval(text, 1, "{x}layout", "2") == "1"
    raw.delete("{x}layout")


def test_standing_can_be_run_as_a_read_only_script(scripts):
    scripts.reserve(2)
    now = scripts.world.clock.now()
    command = calls.standing(scripts.world.route, scripts.world.window, now)
    answer = scripts.raw.eval_ro(command.script.text, *command.words[2:])
    assert answer == [numbers(charged=2), [], []]


def test_all_keys_of_a_command_share_the_hash_tag_of_the_domain():
    world = World(None, HandClock(), fresh_route(policy()))
    demand = replace(world.demand(1, "print"), campaign=Campaign("c1", 3600, ("outbound",)))
    held = answers.reservation_for(demand)
    now = world.clock.now()
    all_of_them = [
        calls.reserve(demand, anew=False, waits=True),
        calls.settle(held, Verdict.SENT, now),
        calls.left(held, "print", now),
        calls.heard(held, "print"),
        calls.standing(world.route, world.window, now),
        calls.pause(world.route.id, "", now),
        calls.resume(world.route.id),
        calls.graduate(world.route.id, now),
        calls.restart(world.route.id),
    ]
    for command in all_of_them:
        named = command.words[3 : 3 + command.words[2]]
        tags = {re.search(r"\{(.+?)\}", key).group(1) for key in named}
        assert tags == {world.route.id.domain}, command.verb


def test_the_hash_of_a_campaign_is_laid_out_as_documented_and_expires_by_itself(scripts):
    def reserve():
        demand = replace(scripts.world.demand(1), campaign=Campaign("c1", 86_400, ("outbound",)))
        scripts.run(calls.reserve(demand, anew=False, waits=True))
        return answers.reservation_for(demand)

    first, second = reserve(), reserve()
    key = keys.campaign(scripts.world.route.id.domain, "c1")
    until = str(epoch_ms(scripts.world.clock.now()) + DAY_S * 1000)
    assert scripts.hash_of(key) == {
        "upstream": "outbound",
        "until": until,
        f"r:{first.id}": "1",
        f"r:{second.id}": "1",
    }
    assert 0 < scripts.raw.pttl(key) <= 4 * DAY_S * 1000
    scripts.settle(first, Verdict.SENT)
    scripts.settle(second, Verdict.REFUND)
    assert scripts.hash_of(key) == {"upstream": "outbound", "until": until, "stands": "1"}
