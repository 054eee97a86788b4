"""The table of commands is that of the modules, and a command loads its own module alone."""

import subprocess
import sys

import pytest
import typer

from relay.cli.every import _HOMES, app_for

LOADED = """
import sys, typer
from relay.cli.every import app_for
print(*typer.main.get_command(app_for(sys.argv[1])).commands)
assert sys.argv[1] == "explain" or "relay.cli.explain" not in sys.modules
"""


def test_every_command_is_in_the_table_and_no_other():
    every = {"serve", *(name for names in _HOMES for name in names)}
    assert every == set(typer.main.get_command(app_for("")).commands)


@pytest.mark.parametrize("names", _HOMES)
def test_a_command_is_found_without_the_others(names):
    told = subprocess.run(
        [sys.executable, "-c", LOADED, names[0]], capture_output=True, text=True, check=True
    )
    assert sorted(told.stdout.split()) == sorted(["serve", *names])
