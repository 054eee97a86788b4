"""What a command does whose standard streams are closed: its work, and no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CLOSED = ">&-", "2>&-", "<&- >&- 2>&-"


def run(words: str, home: Path) -> tuple[int, str]:
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -m relay {words}', sys.executable],
        cwd=home,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("closed", CLOSED)
def test_a_command_does_its_work(closed: str, tmp_path: Path) -> None:
    assert run(f"init news.acme.example {closed}", tmp_path) == (0, "")
    assert run(f"status {closed}", tmp_path) == (0, "")


@pytest.mark.parametrize("closed", CLOSED)
def test_serve_gets_as_far_as_with_all_of_them(closed: str, tmp_path: Path) -> None:
    """Here to a port that is taken, which is found after the store was opened."""
    assert run("init news.acme.example", tmp_path)[0] == 0
    config = tmp_path / "relay.yaml"
    config.write_text(config.read_text().replace("127.0.0.1:2525", "192.0.2.1:2525"))
    run(f"serve {closed}", tmp_path)
    assert (tmp_path / "var" / "store").is_dir()
