"""The source tree as these tests see it: files, imports and calls, without running anything."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "relay"


def python_files(folder: Path = PACKAGE) -> list[Path]:
    """Every Python file below `folder`, in a fixed order."""
    return sorted(folder.rglob("*.py"))


def shown(path: Path) -> str:
    """The path as a person would write it: from the root of the checkout."""
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of one file, parsed once for all tests of a process: nobody changes it."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@cache
def imported(path: Path) -> tuple[tuple[str, int], ...]:
    """Every module that is imported anywhere in a file, inside functions too, with its line."""
    return tuple(_imports(tree_of(path)))


def _imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or ""), node.lineno
        elif isinstance(node, ast.Call) and _is_import_call(node):
            yield _named_by(node), node.lineno


def _is_import_call(node: ast.Call) -> bool:
    return ast.unparse(node.func) in {"__import__", "import_module", "importlib.import_module"}


def _named_by(node: ast.Call) -> str:
    first = node.args[0] if node.args else None
    return str(first.value) if isinstance(first, ast.Constant) else "a name made at run time"


def top(module: str) -> str:
    """The first part of a dotted name; "." for a relative import."""
    return "." if module.startswith(".") else module.partition(".")[0]
