"""Every process keeps its memory to itself, before it reads a secret."""

from __future__ import annotations

import pytest

import relay.cli
from relay.serving import __main__ as serving


class Reached(Exception):
    pass


def reached(*_args: object, **_named: object) -> None:
    raise Reached


@pytest.mark.parametrize(
    "words", ["serve --config a.yaml", "serve --workers 2", "web", "token", "explain"]
)
def test_no_command_begins_before_its_memory_is_private(monkeypatch, words):
    from relay.cli.root import app  # the same object for all commands

    kept = []
    monkeypatch.setattr(relay.cli, "keep_memory_private", lambda: kept.append(words))
    monkeypatch.setattr(type(app), "__call__", reached)
    monkeypatch.setattr(relay.cli, "become", reached)
    monkeypatch.setattr("sys.argv", ["warmup-relay", *words.split()])
    with pytest.raises(Reached):
        relay.cli.main()
    assert kept == [words]


@pytest.mark.parametrize(
    ("role", "next_step"),
    [("serve", "_settings"), ("worker", "read_order"), ("front", "read_order")],
)
def test_no_process_that_serves_begins_before_its_memory_is_private(monkeypatch, role, next_step):
    kept = []
    monkeypatch.setattr(serving, "keep_memory_private", lambda: kept.append(role))
    monkeypatch.setattr(serving, "die_with_parent", lambda: None)
    monkeypatch.setattr(serving, next_step, reached)
    with pytest.raises(Reached):
        serving.ROLES[role](*(["1", ""] if role == "serve" else ["1"]))
    assert kept == [role]
