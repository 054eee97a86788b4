"""Which commands replicas are waited for, and what becomes of their answers."""

from __future__ import annotations

from redis.exceptions import NoScriptError, ResponseError

from relay.store.commands import Command
from relay.store.connections.durability import Acks, TooFewReplicas, lasts, tells_of_desertion

TWO = Acks.within(2, 2.0)


def command(verb):
    return Command(verb, ("X", "k"), str)


def test_what_charges_and_settles_is_waited_for_once_behind_all():
    assert TWO.wanted_by([command("standing"), command("reserve"), command("settle")]) == [
        ("WAIT", 2, 800)
    ]


def test_what_only_reads_or_may_be_lost_is_not_waited_for():
    assert TWO.wanted_by([command("standing"), command("beat"), command("remember mx")]) == []
    assert Acks.within(0, 2.0).wanted_by([command("reserve")]) == []


def test_a_verb_that_nobody_has_thought_of_is_waited_for():
    assert lasts(command("a verb of next year"))


def test_writes_that_too_few_have_are_errors_and_reads_are_not():
    commands = [command("standing"), command("reserve"), command("settle")]
    no_script = NoScriptError("x")
    found = TWO.judged(commands, ["s", "r", no_script], 1)
    assert found[0] == "s"
    assert isinstance(found[1], TooFewReplicas)
    assert "1 of 2 replicas" in str(found[1])
    assert found[2] is no_script


def test_enough_is_enough_and_an_error_of_wait_is_none():
    commands = [command("reserve")]
    assert TWO.judged(commands, ["r"], 2) == TWO.judged(commands, ["r"], 5) == ["r"]
    unblocked = ResponseError("UNBLOCKED force unblock")
    assert isinstance(TWO.judged(commands, ["r"], unblocked)[0], TooFewReplicas)


def test_a_server_without_its_replicas_may_not_be_the_master_any_more():
    assert tells_of_desertion(TooFewReplicas("x"))
    assert tells_of_desertion(ResponseError("NOREPLICAS Not enough good replicas to write."))
    assert not tells_of_desertion(ResponseError("OOM"))
    assert not tells_of_desertion("NOREPLICAS")
