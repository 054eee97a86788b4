"""`serve` without typer: the same as with it where it is understood, and left to it elsewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import relay.cli
import relay.cli.serve
from relay.cli.plain import serving_words
from relay.cli.root import app

UNDERSTOOD = [
    [],
    ["--config", "a.yaml"],
    ["--config=a.yaml"],
    ["--config", "./x//a b.yaml", "--clock", "c"],
    ["--clock=c"],
    ["--clock=a=b"],
    ["--config", "a.yaml", "--config", "b.yaml"],
]
LEFT = [
    ["--help"],
    ["--workers", "2"],
    ["--config"],
    ["--config="],
    ["--config", "--clock", "c"],
    ["--conf", "a.yaml"],
    ["a.yaml"],
    ["--config", "a.yaml", "b.yaml"],
    ["--", "--config", "a.yaml"],
]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "relay.example.yaml").touch()
    return tmp_path


@pytest.mark.parametrize("arguments", UNDERSTOOD, ids=" ".join)
def test_it_becomes_what_typer_would_have_it_become(monkeypatch, arguments):
    became = []
    monkeypatch.setattr(relay.cli.serve, "become", lambda *words: became.append(words))
    told = CliRunner().invoke(app, ["serve", *arguments])
    assert told.exit_code == 0
    assert became == [serving_words(arguments)]


@pytest.mark.parametrize("arguments", LEFT, ids=" ".join)
def test_what_is_unusual_or_wrong_is_left_to_typer(arguments):
    assert serving_words(arguments) is None


def test_a_relay_yaml_comes_before_the_example(home):
    assert serving_words([]) == ("serve", "relay.example.yaml", "", "")
    (home / "relay.yaml").touch()
    assert serving_words([]) == ("serve", "relay.yaml", "", "")


def test_no_config_at_all_is_left_to_typer(home):
    (home / "relay.example.yaml").unlink()
    assert serving_words([]) is None


LOADED = """
import sys
import relay.cli
relay.cli.become = lambda *words: sys.exit("typer" if "typer" in sys.modules else 0)
sys.argv = ["warmup-relay", "serve", "--config", "a.yaml"]
relay.cli.main()
"""


def test_typer_is_not_loaded_for_it():
    root = str(Path(relay.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", LOADED], env={"PYTHONPATH": root}, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
