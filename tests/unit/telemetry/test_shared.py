"""The counts of several processes as one page."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from relay.telemetry.shared import SharedMetrics, forget_gauges

WORKER = """
import sys
from pathlib import Path
from relay.telemetry.shared import share_values
share_values(Path(sys.argv[1]), int(sys.argv[2]))
from relay.telemetry.metrics import Metrics
metrics = Metrics()
exec(sys.argv[3])
import os
os.kill(os.getpid(), 9)
"""


def work(directory: Path, number: int, what: str) -> None:
    """What a worker does before it is killed."""
    command = [sys.executable, "-c", WORKER, str(directory), str(number), what]
    assert subprocess.run(command, timeout=30, check=False).returncode == -9


def page(directory: Path) -> dict[str, float]:
    text = SharedMetrics(directory, 2, dict).text().decode()
    return {
        name: float(value) for name, value in re.findall(r"^(relay_\S+) (\S+)$", text, re.MULTILINE)
    }


COUNT = "metrics.messages.labels('acme', 'a.example', 'forwarded').inc({0})"


def test_counters_are_sums_and_go_on_where_a_killed_worker_stopped(tmp_path: Path) -> None:
    name = 'relay_messages_total{domain="a.example",outcome="forwarded",tenant="acme"}'
    work(tmp_path, 1, COUNT.format(3))
    work(tmp_path, 2, COUNT.format(4))
    assert page(tmp_path)[name] == 7
    forget_gauges(tmp_path, 1)
    work(tmp_path, 1, COUNT.format(5))
    assert page(tmp_path)[name] == 12


def test_histograms_are_sums_of_their_buckets(tmp_path: Path) -> None:
    for number, seconds in ((1, 0.003), (2, 0.2)):
        work(tmp_path, number, f"metrics.stage_seconds.labels('sign').observe({seconds})")
    found = page(tmp_path)
    assert found['relay_stage_seconds_bucket{le="0.005",stage="sign"}'] == 1
    assert found['relay_stage_seconds_bucket{le="0.25",stage="sign"}'] == 2
    assert found['relay_stage_seconds_bucket{le="+Inf",stage="sign"}'] == 2
    assert found['relay_stage_seconds_count{stage="sign"}'] == 2
    assert found['relay_stage_seconds_sum{stage="sign"}'] == pytest.approx(0.203)


def test_connections_are_summed_and_die_with_their_worker(tmp_path: Path) -> None:
    name = 'relay_connections{listener="127.0.0.1:25"}'
    for number in (1, 2):
        work(tmp_path, number, "metrics.connections.labels('127.0.0.1:25').inc(5)")
    assert page(tmp_path)[name] == 10
    forget_gauges(tmp_path, 2)
    assert page(tmp_path)[name] == 5


def test_one_worker_that_refused_a_reload_is_told(tmp_path: Path) -> None:
    work(tmp_path, 1, "metrics.policy_reload_failed.set(1)")
    work(tmp_path, 2, "metrics.policy_reload_failed.set(0)")
    assert page(tmp_path)["relay_policy_reload_failed"] == 1


def test_the_store_is_asked_by_the_supervisor_alone(tmp_path: Path) -> None:
    work(tmp_path, 1, "metrics.store_up.set(1)")
    assert page(tmp_path)["relay_store_up"] == 0


def test_a_file_that_is_only_begun_breaks_no_page(tmp_path: Path) -> None:
    work(tmp_path, 1, COUNT.format(1))
    (tmp_path / "counter_2.db").touch()
    assert sum(value for name, value in page(tmp_path).items() if "messages" in name) == 1


def test_each_process_is_told_of_by_its_name(tmp_path: Path) -> None:
    import os

    shared = SharedMetrics(tmp_path, 1, lambda: {"supervisor": os.getpid(), "gone": 2**22 + 1})
    text = shared.text().decode()
    assert 'process_cpu_seconds_total{process="supervisor"}' in text
    assert "gone" not in text
    assert "relay_workers 1.0" in text


def test_the_domains_that_workers_have_named_are_known_to_the_supervisor(tmp_path: Path) -> None:
    work(tmp_path, 1, COUNT.format(3))
    work(tmp_path, 2, COUNT.format(3).replace("a.example", "b.example"))
    assert SharedMetrics(tmp_path, 2, dict).named() == {"a.example", "b.example"}
