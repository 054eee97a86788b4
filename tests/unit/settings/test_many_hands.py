"""Pieces shared among processes: each is done once or more, and told once, whatever happens."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from relay.settings.large.many_hands import WORTH_A_HAND, done_by_many

COUNT = 4 * WORTH_A_HAND + 3

PROGRAM = f"""
import os, signal, sys
from relay.settings.large import many_hands
os.cpu_count = lambda: 3
first, did = os.getpid(), []
def do(piece):
    did.append(piece)
    if os.getpid() != first and piece > 100:
        TROUBLE
    return b"%d" % piece
pieces = [*range({COUNT})]
assert many_hands.done_by_many(do, pieces) == [b"%d" % piece for piece in pieces]
print(len(did))
try:
    os.waitpid(-1, 0)
except ChildProcessError:
    print("all ended")
"""

ONE_FORK = """
import os
fork = os.fork
def refused():
    raise BlockingIOError
def once():
    os.fork = refused
    return fork()
os.fork = once
"""


def told(trouble: str, before: str = "") -> list[str]:
    program = before + PROGRAM.replace("TROUBLE", trouble)
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().split("\n")[:2]


def test_others_do_their_shares():
    assert told("pass") == [str(len(range(0, COUNT, 3))), "all ended"]


@pytest.mark.parametrize("trouble", ["os.kill(os.getpid(), signal.SIGKILL)", "raise ValueError"])
def test_what_a_process_leaves_undone_is_done_here(trouble):
    assert told(trouble) == [str(COUNT), "all ended"]


def test_where_no_more_processes_may_be_begun_the_rest_is_done_here():
    assert told("pass", ONE_FORK) == [str(COUNT - len(range(1, COUNT, 3))), "all ended"]


def test_what_is_wrong_is_raised_and_nobody_left_behind():
    program = PROGRAM.replace("TROUBLE", "import time; time.sleep(60)").replace(
        "did.append(piece)", "1 // (9 - piece)"
    )
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, capture_output=True, timeout=30, check=False)
    assert b"ZeroDivisionError" in done.stderr


def test_few_pieces_are_done_by_one():
    here = str(os.getpid()).encode()
    assert done_by_many(lambda _: str(os.getpid()).encode(), [*"ab"]) == [here, here]
    assert done_by_many(bytes, []) == []
