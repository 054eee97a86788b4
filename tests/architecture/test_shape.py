"""Sizes, docstrings and tasks: what keeps a file readable at one sitting."""

from __future__ import annotations

import ast

import pytest

from tests.architecture.source import PACKAGE, python_files, shown, tree_of

MOST_LINES = 400
MOST_FUNCTION_LINES = 60

# Where a task may be started without a TaskGroup around it, and why.
TASK_STARTERS = {
    "relay/concurrency/background.py": "the one place for work that outlives its caller; drained at shutdown",
    "relay/edge/connection.py": "the TLS handshake; awaited by the same function, with a deadline",
}


@pytest.mark.parametrize("path", python_files(), ids=shown)
def test_no_file_is_longer_than_a_reader_can_hold(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_no_function_is_longer_than_a_screen():
    wrong = [
        f"{shown(path)}:{node.lineno} {node.name}"
        for path in python_files()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= MOST_FUNCTION_LINES
    ]
    assert wrong == []


def test_every_module_says_what_it_owns():
    wrong = [shown(path) for path in python_files() if not ast.get_docstring(tree_of(path))]
    assert wrong == []


def test_tasks_are_started_only_where_somebody_waits_for_them():
    wrong = [
        f"{shown(path)}:{node.lineno}"
        for path in python_files()
        if shown(path) not in TASK_STARTERS
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and _starts_a_bare_task(node)
    ]
    assert wrong == [], "use a TaskGroup, or relay.concurrency.background"


def _starts_a_bare_task(node: ast.Call) -> bool:
    if not isinstance(node.func, ast.Attribute):
        return isinstance(node.func, ast.Name) and node.func.id in {"create_task", "ensure_future"}
    if node.func.attr == "ensure_future":
        return True
    owner = ast.unparse(node.func.value)
    return node.func.attr == "create_task" and (owner == "asyncio" or "loop" in owner)


def test_no_class_is_named_after_what_it_does_not_say():
    empty = ("Manager", "Helper", "Util", "Utils", "Base")
    wrong = [
        f"{shown(path)}:{node.lineno} {node.name}"
        for path in python_files()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ClassDef) and node.name.endswith(empty)
    ]
    assert wrong == []


def test_nothing_is_left_to_be_done_later():
    words = tuple(a + b for a, b in (("TO", "DO"), ("FIX", "ME"), ("XX", "X:")))
    wrong = [
        f"{shown(path)}:{number}"
        for path in [*python_files(), *sorted(PACKAGE.rglob("*.lua"))]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if any(word in line for word in words)
    ]
    assert wrong == []
