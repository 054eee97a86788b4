"""Every command that serves keeps its memory to itself, before it reads a secret."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from relay.cli import serve, web
from relay.cli.main import app


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (serve, ["serve", "--config", "/nowhere/relay.yaml"]),
        (serve, ["worker", "1"]),
        (web, ["web", "--config", "/nowhere/relay.yaml"]),
        (web, ["front", "9"]),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else "",
)
def test_no_process_that_holds_secrets_may_be_looked_into(monkeypatch, module, words):
    kept = []
    monkeypatch.setattr(module, "keep_memory_private", lambda: kept.append(words))
    for name in ("die_with_parent", "read_order"):
        monkeypatch.setattr(module, name, lambda: b"", raising=False)
    assert CliRunner().invoke(app, words).exit_code == 1
    assert kept == [words]
