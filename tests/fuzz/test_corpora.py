"""What fuzzing kept, run again: every input that reached something new, and every finding."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.engine import INSTALL
from tests.fuzz.targets import NAMES, kept, target

ROOT = Path(__file__).parents[2]
EACH_S = 60

BY_A_SHELL = ("sh", "-c", '"$@"; exit $?', "sh")
"""The kernel counts the largest memory of a process from that of its parent at the fork: a child of
pytest that has run thousands of tests would begin beyond the limit that the fuzzer keeps to."""


@pytest.mark.parametrize("name", NAMES)
def test_the_seeds_and_the_corpus_pass(name: str) -> None:
    module, files = target(name), kept(name)
    assert files, "there is no corpus"
    for data in (*module.SEEDS, *(file.read_bytes() for file in files)):
        module.run(data)


@pytest.mark.parametrize("name", NAMES)
def test_the_corpus_stays_small(name: str) -> None:
    assert sum(file.stat().st_size for file in kept(name)) < 150_000


@pytest.mark.slow
@pytest.mark.timeout(EACH_S * 4)
@pytest.mark.parametrize("name", NAMES)
def test_a_minute_of_fuzzing_finds_nothing(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", name]
    command += ["--seconds", str(EACH_S), "--found", str(tmp_path)]
    done = subprocess.run(
        [*BY_A_SHELL, *command],
        capture_output=True,
        text=True,
        timeout=EACH_S * 3,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    if INSTALL in done.stderr:
        pytest.skip(INSTALL)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "stat::number_of_executed_units" in done.stderr
