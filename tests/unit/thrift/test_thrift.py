"""What a process does about its memory before it serves: in a process of its own each time."""

import ctypes
import subprocess
import sys
from textwrap import dedent
from types import SimpleNamespace

import pytest

from relay.thrift import settling

HAS_TRIM = hasattr(ctypes.CDLL(None), "malloc_trim")


def told(script):
    """What `script` prints, word by word, in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", dedent(script)], capture_output=True, text=True, timeout=30,
        check=True,
    )  # fmt: skip
    return done.stdout.split()


def test_what_start_up_left_is_not_looked_at_again_and_garbage_is_gone_first():
    counted = told("""
        import gc, weakref
        from relay.thrift.settling import COLLECT_AFTER, settle_down
        class Node: pass
        config, loop = [[] for _ in range(5000)], Node()
        loop.itself, seen = loop, weakref.ref(loop)
        gc.disable()  # nothing else may collect the loop
        del loop
        settle_down()
        gc.enable()
        print(seen() is None, gc.get_freeze_count() >= 5000, len(gc.get_objects()) < 5000)
        print(gc.get_threshold() == (COLLECT_AFTER, 10, 10))
    """)
    assert counted == ["True"] * 4


def test_what_is_made_while_serving_is_collected_all_the_same():
    assert told("""
        import gc, weakref
        from relay.thrift.settling import COLLECT_AFTER, settle_down
        class Node: pass
        settle_down()
        first = Node()
        first.itself, seen = first, weakref.ref(first)
        del first
        kept = [[] for _ in range(2 * COLLECT_AFTER)]
        print(seen() is None)
    """) == ["True"]


@pytest.mark.skipif(not HAS_TRIM, reason="malloc_trim is glibc's")
def test_memory_that_was_only_needed_to_start_goes_back_to_the_system():
    before, after = map(int, told("""
        import os
        from pathlib import Path
        from relay.thrift.settling import settle_down
        def pages(): return int(Path("/proc/self/statm").read_text().split()[1])
        blocks = [bytearray(b"x" * 60_000) for _ in range(1000)]
        last = blocks[-1]  # above all the others: the heap cannot shrink from its end
        del blocks
        before = pages()
        settle_down()
        print(before * os.sysconf("SC_PAGE_SIZE"), pages() * os.sysconf("SC_PAGE_SIZE"))
    """))  # fmt: skip
    assert before - after > 40_000_000


def test_without_glibc_there_is_nothing_to_give_back(monkeypatch):
    calls = []
    for verb in ("collect", "freeze", "set_threshold"):
        monkeypatch.setattr(settling.gc, verb, lambda *_, verb=verb: calls.append(verb))
    monkeypatch.setattr(settling.ctypes, "CDLL", lambda _: SimpleNamespace())
    settling.settle_down()
    assert calls == ["collect", "freeze", "set_threshold"]


def test_the_collector_is_at_rest_while_modules_load_and_awake_when_serving_begins():
    assert told("""
        import gc
        from relay.thrift import resting
        import relay.serving.__main__
        print(gc.isenabled())
        async def work(): print(gc.isenabled())
        relay.serving.__main__._run(work())
    """) == ["False", "True"]
