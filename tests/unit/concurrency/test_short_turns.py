"""Threads that let the loop have the interpreter soon."""

import sys

from relay.concurrency.beside import TURN_S, short_turns


def test_the_interval_is_as_before_when_the_last_thread_is_out():
    before = sys.getswitchinterval()
    one, two = short_turns(), short_turns()
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    assert abs(sys.getswitchinterval() - TURN_S) < 1e-6
    two.__exit__(None, None, None)
    assert sys.getswitchinterval() == before
