"""What a command says where its output finds no room, or cannot be encoded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_no_room_for_the_output_is_one_line_and_exit_code_1(options: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "relay", "plan", "calendar-14-day", *options],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == b"warmup-relay: [Errno 28] No space left on device\n"


def test_what_the_output_cannot_encode_is_no_failure() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "relay", "plan", "calendar-14-day"],
        env=os.environ | {"PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\u2588" in done.stdout, "a block of the chart"
