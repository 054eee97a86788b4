"""The Lua scripts of the store: one verb each, short, and with a contract at the head."""

from __future__ import annotations

import re

import pytest

from relay.store import calls
from tests.architecture.source import PACKAGE, shown

SCRIPTS = sorted(PACKAGE.rglob("*.lua"))
MOST_LINES = 120


def test_the_store_has_scripts():
    assert SCRIPTS, "the tests below would prove nothing"


def head_of(text: str) -> str:
    """The comment lines before the first line of code."""
    lines = text.splitlines()
    end = next((n for n, line in enumerate(lines) if line and not line.startswith("--")), 0)
    return "\n".join(lines[:end])


@pytest.mark.parametrize("path", SCRIPTS, ids=shown)
@pytest.mark.parametrize("part", ["KEYS", "ARGV", "returns"])
def test_a_script_begins_with_its_contract(path, part):
    assert re.search(rf"\b{part}\b", head_of(path.read_text()), re.IGNORECASE)


@pytest.mark.parametrize(
    "files",
    [calls.RESERVE, calls.SETTLE, calls.STANDING, calls.ATTEMPTS],
    ids=lambda files: files[-1],
)
def test_a_script_names_every_file_that_is_put_in_front_of_it(files):
    *before, last = files
    head = head_of((PACKAGE / "store" / "lua" / f"{last}.lua").read_text())
    [told] = re.findall(r"\(([^()]*) (?:is|are) put in front of this text\.\)", head)
    assert re.findall(r"`(\w+)(?:\.lua)?`", told) == before


@pytest.mark.parametrize("path", SCRIPTS, ids=shown)
def test_a_script_stays_short(path):
    assert len(path.read_text().splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", SCRIPTS, ids=shown)
def test_a_script_takes_the_time_as_an_argument_and_builds_no_key(path):
    code = "\n".join(line.split("--")[0] for line in path.read_text().splitlines())
    assert not re.search(r"['\"]TIME['\"]", code, re.IGNORECASE)
    assert not re.search(r"call\(\s*['\"]\w+['\"]\s*,\s*['\"]", code), "a key written in a script"
