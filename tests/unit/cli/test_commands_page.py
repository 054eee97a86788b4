"""docs/commands.md has every command, option and JSON key of the real command line."""

import json
import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from relay.cli.every import app_for

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "commands.md").read_text(encoding="utf-8")
GROUP = typer.main.get_command(app_for(""))
TOP = {name: command for name, command in GROUP.commands.items() if not command.hidden}
COMMANDS = TOP | {
    f"{name} {below}": command
    for name, group in TOP.items()
    for below, command in getattr(group, "commands", {}).items()
}
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, flags=re.MULTILINE | re.DOTALL))


def test_every_command_has_a_section_and_no_section_is_of_none():
    assert sorted(SECTIONS) == sorted(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_section_has_every_option_and_what_help_says_of_it(name):
    options = [each for each in COMMANDS[name].params if each.param_type_name == "option"]
    told = dict(re.findall(r"^\| `(--\S+)` \| (.*) \|$", SECTIONS[name], flags=re.MULTILINE))
    assert told == {each.opts[0]: each.help or "" for each in options}
    assert " ".join((COMMANDS[name].help or "").split()) in SECTIONS[name]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_that_prints_json_says_what(name):
    has_json = any("--json" in each.opts for each in COMMANDS[name].params)
    assert ("JSON: " in SECTIONS[name]) is has_json


def keys(value):
    """Every key in a JSON value, but those of mappings by name."""
    found = set()
    for key, inner in value.items() if isinstance(value, dict) else ():
        found |= {key} | (keys(inner) if key not in {"mix", "providers"} else set())
    for inner in value if isinstance(value, list) else ():
        found |= keys(inner)
    return found


def asked(monkeypatch, home, *words):
    monkeypatch.chdir(home)
    done = CliRunner().invoke(app_for("plan"), [*words, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_every_key_of_the_json_is_told(monkeypatch, tmp_path):
    domain = "news.acme.example"
    for words in (
        ("init", domain), ("status", domain), ("explain", domain), ("plan", domain),
        ("plan", "calendar-14-day"), ("pause", domain), ("dns", domain), ("token",),
        ("check", "--offline"),
    ):  # fmt: skip
        section = SECTIONS["status"] + SECTIONS[words[0]]
        missing = keys(asked(monkeypatch, tmp_path, *words)) - set(re.findall(r"\w+", section))
        assert not missing - {"bounces", "complaints", "deferrals"}, words
