"""A line of the log is what structlog's own steps would have made of the event."""

import json
import re
import sys
from pathlib import Path

import pytest
import structlog

from relay.telemetry import json_line as module
from relay.telemetry.json_line import add_to_all, json_line

STEPS = (
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
    structlog.processors.JSONRenderer(),
)


def by_steps(level, event):
    for step in STEPS:
        event = step(None, level, event)
    return event


def timeless(line):
    told = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", told.pop("timestamp"))
    return list(told.items())


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "exception", "critical"])
@pytest.mark.parametrize(
    "event",
    [
        {"event": "message", "ref": "k1", "size": 10, "ms": 1.5, "to": ["a@b.example"]},
        {"event": "line\nend \x00 \u2028 é \ud800", "none": None, "truth": True},
        {"event": "odd", "path": Path("/x"), "set": frozenset({1}), "bytes": b"\xff"},
    ],
)
def test_it_is_the_same_line(level, event):
    assert timeless(json_line(None, level, dict(event))) == timeless(by_steps(level, dict(event)))


def test_an_exception_is_told_with_its_trace():
    try:
        _ = {}["four"]
    except KeyError:
        event = {"event": "it failed", "exc_info": sys.exc_info()}
    line = json_line(None, "exception", dict(event))
    assert timeless(line) == timeless(by_steps("exception", dict(event)))
    assert "KeyError: 'four'" in json.loads(line)["exception"]


def test_what_is_the_same_in_all_lines_is_in_each_unless_it_says_it_itself(monkeypatch):
    monkeypatch.setattr(module, "_constant", {})
    add_to_all("process", "worker 1")
    assert json.loads(json_line(None, "info", {"event": "x"}))["process"] == "worker 1"
    assert json.loads(json_line(None, "info", {"event": "x", "process": "web"}))["process"] == "web"
