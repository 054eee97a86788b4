"""CLUSTER SLOTS as a value, and which slot a command is for."""

from __future__ import annotations

import pytest

from relay.store import keys
from relay.store.commands import Command, Script, evalsha
from relay.store.connections.durability import first_key, touching
from relay.store.connections.places import Address
from relay.store.connections.slotmap import slot_map, slot_of

A, B, C = Address("10.0.0.1", 1), Address("10.0.0.2", 2), Address("10.0.0.3", 3)
ANSWER = [
    [5461, 10922, ["10.0.0.2", 2, "idB", []], ["10.0.0.3", 3, "idC", []]],
    [0, 5460, ["", 1, "idA"]],
    [10923, 16000, [None, 1, "idA"]],
]


def get(key):
    return Command("t", ("GET", key), str)


def test_every_slot_has_its_master_and_those_of_nobody_have_none():
    found = slot_map(ANSWER, Address("10.0.0.1", 7))
    assert [found.master_of(slot) for slot in (0, 5460, 5461, 10922, 10923, 16000)] == [
        *(A, A, B, B, A, A)
    ]
    assert [found.master_of(slot) for slot in (16001, 16383)] == [None, None]
    assert slot_map([], A).master_of(0) is None


def test_masters_replicas_and_what_each_holds_are_told_once():
    found = slot_map(ANSWER, Address("10.0.0.1", 7))
    assert (found.masters, found.replicas) == ((A, B), frozenset({C}))
    assert found.slots_of(A) == ((0, 5460), (10923, 16000))


@pytest.mark.parametrize(
    ("key", "slot"), [("foo", 12182), ("{foo}bar", 12182), ("123456789", 12739)]
)
def test_slots_are_those_of_the_specification(key, slot):
    assert slot_of(get(key)) == slot


def test_all_keys_of_a_domain_are_for_one_slot_and_so_is_what_is_touched_beside_them():
    script = evalsha(
        "v", Script("", "0"), ("wr1:{a.example}:route:x", "wr1:{a.example}:y"), (1,), str
    )
    assert first_key(script) == "wr1:{a.example}:route:x"
    assert slot_of(script) == slot_of(get("a.example")) == slot_of(touching(script))
    assert slot_of(touching(get("plain"))) == slot_of(get("plain"))


def test_what_has_no_key_goes_where_the_layout_is():
    for words in (("PING",), ("SCAN", "0"), ("EVALSHA", "0", 0, "x")):
        assert slot_of(Command("t", words, str)) == slot_of(get(keys.LAYOUT))
