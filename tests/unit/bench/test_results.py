"""What the benchmark says of its figures."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bench.chart import as_svg
from bench.peers.every import SYSTEMS, VARIANTS
from bench.peers.offers import offer
from bench.peers.scenarios import COLUMNS, RIGHT
from bench.peers.system import CONF, ROOT
from bench.peers.table import Result, as_document, into_page, renewed
from bench.quick import SHAPE, ratio
from bench.report import as_text, compared
from bench.speed import Burst, Measured
from tests.harness.smtp_script import refuse
from tests.harness.upstream import SinkThread

PAGE = "before\n<!-- scenarios -->\nold\n<!-- end of scenarios -->\nafter\n"


def document(rate: float, signatures: int) -> dict[str, Any]:
    entry = {"messages_s": {"20 reused": rate}, "cpu_s_per_1000": {"20 reused": 2.5}}
    entry |= {"title": "ours & co", "queues": False, "checked": True, "p50_ms": 1.0, "p99_ms": 2.0}
    entry |= {"pss_idle_mb": 10.0, "pss_load_mb": 20.0}
    machine = {"rsa_2048_a_s": [signatures, signatures], "cores": 2}
    return {"date": "2026-01-01T00:00Z", "machine": machine, "systems": {"ours": entry}}


def test_half_the_speed_on_half_the_machine_is_no_change() -> None:
    assert compared(document(50, 500), document(100, 1000)) == []
    assert compared(document(50, 1000), document(100, 1000)) == [
        "ours, 20 reused: -50% (100 → 50/s)"
    ]


def test_table_and_chart_show_the_rate() -> None:
    assert "123" in as_text(document(123, 1))
    svg = as_svg(document(123, 1))
    assert "123/s" in svg
    assert "ours &amp; co" in svg


def result(**counts: int | None) -> Result:
    return Result("x", "X", "1", "how", "what", RIGHT | counts, "451 a|b\nc", [], "2026-01-01")


def test_only_what_stands_between_the_marks_is_written_anew() -> None:
    page = into_page(PAGE, [result(restart=7, edit=None)])
    assert page.startswith("before\n")
    assert page.endswith("\nafter\n")
    assert "old" not in page
    assert "| X | 100 | **7** | **–** |" in page
    assert "`451 a/b c`" in page


def test_a_run_of_some_systems_keeps_the_rows_of_the_others() -> None:
    before = as_document([result(restart=7)])
    assert renewed([replace(result(), name="y")], before) == [
        result(restart=7),
        replace(result(), name="y"),
    ]
    assert renewed([result(restart=8)], before) == [result(restart=8)]


def test_a_page_without_marks_is_an_error() -> None:
    with pytest.raises(ValueError, match="end of scenarios"):
        into_page("nothing", [])


class Ran:
    def __init__(self, *cpu: float) -> None:
        self.measured = Measured({SHAPE.name: [Burst(1, each) for each in cpu]})


def test_the_ratio_is_the_median_over_the_rounds() -> None:
    assert ratio(Ran(1, 9, 2), Ran(4, 3, 4)) == 0.5  # type: ignore[arg-type]


def test_an_offer_counts_recipients_by_what_became_of_them() -> None:
    sink = SinkThread()
    try:
        assert offer(sink.port, clients=2, each=2, recipients=3).accepted == 12
        sink.once("RCPT", refuse("451 4.7.1 full"))
        mixed = offer(sink.port, clients=1, each=1, recipients=3)
        assert (mixed.accepted, mixed.refused, mixed.said) == (2, 1, "451 4.7.1 full")
    finally:
        sink.end()
    lost = offer(sink.port, clients=1, each=2)
    assert (lost.accepted, lost.lost) == (0, 2)


def test_the_committed_results_are_of_every_system() -> None:
    names = {system.about.name for system in SYSTEMS}
    scenarios = json.loads((ROOT / "bench/results/scenarios.json").read_text())
    assert {row["name"] for row in scenarios["systems"]} == names
    assert all(set(row["counts"]) == set(COLUMNS) for row in scenarios["systems"])
    speed = json.loads((ROOT / "bench/results/speed.json").read_text())
    variants = {system.about.name for system in VARIANTS}
    assert set(speed["systems"]) - variants == names | {"direct"}


def test_every_file_of_the_peers_is_used() -> None:
    code = "".join(path.read_text() for path in (ROOT / "bench/peers").glob("*.py"))
    folders = {path.parent.name for path in CONF.rglob("*") if path.is_file()} - {"policies"}
    assert [name for name in folders if f"{name}/" not in code and f'"{name}"' not in code] == []


def test_haraka_is_pinned_with_its_overrides_and_names_no_registry() -> None:
    home = ROOT / "bench/peers/haraka"
    wanted = json.loads((home / "package.json").read_text())
    lock = json.loads((home / "package-lock.json").read_text())["packages"]
    assert lock["node_modules/Haraka"]["version"] == wanted["dependencies"]["Haraka"]
    for name, version in wanted["overrides"].items():
        assert lock[f"node_modules/{name}"]["version"] == version
    assert all(entry["integrity"] for name, entry in lock.items() if name)
    assert "resolved" not in json.dumps(lock)
