"""The Grafana board: a real Prometheus has something to show in every panel."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeRelay
from tests.harness.prometheus import Prometheus
from tests.harness.relay_config import DOMAIN, calendar
from tests.harness.smtp_script import refuse
from tests.harness.upstream import SinkThread
from tests.harness.wire import Wire, mail

FILE = Path(__file__).parents[2] / "config" / "grafana" / "warmup-relay.json"
BOARD = json.loads(FILE.read_text())
PANELS: list[dict[str, Any]] = [each for each in BOARD["panels"] if each["type"] != "row"]
JOB = "mail"
GIVEN = {"$domain": ".*", "$job": JOB, "$__rate_interval": "30s", "$__range": "1h"}
SENDER = f"news@{DOMAIN}"


def expressions(panel: dict[str, Any]) -> list[str]:
    found = [target["expr"] for target in panel["targets"]]
    for name, value in GIVEN.items():
        found = [text.replace(name, value) for text in found]
    return found


@pytest.fixture
def prometheus(
    make_relay: MakeRelay, sink: SinkThread, endings: ExitStack, tmp_path: Path
) -> Prometheus:
    """Of a relay of two workers that sends, defers and hears of refusals."""
    walled = calendar(3, providers={"google": {"cap": 2}})
    relay = make_relay(upstream=sink.url, policies={"ramp": walled}, more={"workers": 2}).start()
    made = Prometheus(tmp_path / "prometheus", relay.config.web_port, JOB)
    with Wire(relay.port) as wire:
        sink.once("RCPT", refuse("550 5.1.1 no such user"))
        codes = [wire.send(SENDER, "a@gmail.com", mail(SENDER)).code for _ in range(4)]
    assert codes == [550, 250, 250, 451]
    endings.callback(made.end)
    return made.start()


def test_every_panel_shows_something_of_a_relay_that_sends(prometheus: Prometheus) -> None:
    nothing = [
        (panel["title"], text)
        for panel in PANELS
        for text in expressions(panel)
        if not prometheus.query(text)
    ]
    assert nothing == []
    states = 'sum by (state) (max by (domain, upstream, state) (relay_route_state{domain=~".*"}))'
    assert states in expressions(PANELS[0])
    told = {each["metric"]["state"]: each["value"][1] for each in prometheus.query(states)}
    assert told["warming"] == "1"


def test_no_panel_lies_on_another() -> None:
    places = [
        (x, y)
        for each in BOARD["panels"]
        for place in [each["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(places) == len(set(places))
    assert max(x for x, _ in places) < 24
    assert len({each["id"] for each in BOARD["panels"]}) == len(BOARD["panels"])
