"""Whether the process that syncs answers its owner: looks are counted, not seconds."""

from __future__ import annotations

import socket
import time

import pytest

from relay.store.embedded.sync_pulse import LOOKS, Pulse
from tests.harness.sync_thread import SyncThread, nothing
from tests.harness.waiting import until


@pytest.fixture
def pulse(tmp_path):
    made = Pulse(lambda: tmp_path / "s")
    yield made
    made.close()


def test_one_that_answers_is_asked_now_and_then_and_never_silent_for_long(tmp_path, pulse):
    thread = SyncThread(tmp_path / "s", nothing)
    until(pulse.beats, "a beat", every_s=0.01)
    for _ in range(3 * LOOKS):
        pulse.beats()
        assert pulse.silent_for < LOOKS
        time.sleep(0.01)
    thread.end()


@pytest.mark.parametrize("backlog", [0, 5])
def test_one_that_does_not_answer_or_lets_nobody_in_is_silent_look_after_look(
    tmp_path, pulse, backlog
):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen(backlog)
        full = [socket.socket(socket.AF_UNIX) for _ in range(0 if backlog else 3)]
        for one in full:
            one.settimeout(0)
            one.connect_ex(str(tmp_path / "s"))
        assert not any(pulse.beats() for _ in range(50))
        assert pulse.silent_for >= 48
        for one in full:
            one.close()


def test_one_that_ended_or_never_was_is_not_silent_but_gone(tmp_path, pulse):
    assert not any(pulse.beats() for _ in range(5))
    assert pulse.silent_for == 0
    thread = SyncThread(tmp_path / "s", nothing)
    until(pulse.beats, "a beat", every_s=0.01)
    thread.end()
    for _ in range(3 * LOOKS):
        pulse.beats()
    assert not pulse.beats()
    assert pulse.silent_for == 0
