"""relay.core.values: as frozen dataclasses in all but what their making costs."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field, fields, replace

import pytest

from relay.core.values import value


@dataclass(frozen=True, slots=True)
class Slow:
    """What `Quick` has to be like."""

    name: str
    count: int = 1
    notes: tuple[str, ...] = ()
    at: float = field(default=0.0, compare=False)


@value(frozen=True, slots=True)
class Quick:
    """As `Slow`."""

    name: str
    count: int = 1
    notes: tuple[str, ...] = ()
    at: float = field(default=0.0, compare=False)


def test_a_value_is_equal_to_another_with_the_same_fields():
    assert Quick("a", 2) == Quick(name="a", count=2)
    assert Quick("a", 2) != Quick("a", 3)
    assert Quick("a", at=1.0) == Quick("a", at=2.0)


def test_a_value_has_the_hash_that_its_frozen_like_has():
    assert hash(Quick("a", 2, ("b",))) == hash(Slow("a", 2, ("b",)))
    assert {Quick("a"): 1}[Quick("a", at=5.0)] == 1


def test_a_value_is_replaced_matched_and_pickled_as_a_dataclass_is():
    made = Quick("a", notes=("b",))
    assert replace(made, count=5) == Quick("a", 5, ("b",))
    assert made == Quick("a", 1, ("b",))
    assert [each.name for each in fields(Quick)] == [each.name for each in fields(Slow)]
    assert pickle.loads(pickle.dumps(made)) == made
    match made:
        case Quick(name, count):
            assert (name, count) == ("a", 1)


def test_a_value_takes_no_field_that_it_does_not_have():
    with pytest.raises(AttributeError):
        Quick("a").more = 1  # type: ignore[attr-defined, misc]


def test_nothing_is_a_value_that_is_not_said_to_be_frozen():
    with pytest.raises(TypeError, match="frozen"):
        value(frozen=False, slots=True)
