"""Counts of a process beside this one are added to its page; gauges stay its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from relay.telemetry.metrics import Metrics
from relay.telemetry.shared import text_of

BESIDE = """
import sys
from pathlib import Path
from relay.telemetry.shared import share_values
share_values(Path(sys.argv[1]), 0)
from relay.telemetry.metrics import Metrics
metrics = Metrics()
metrics.messages.labels("acme", "a.example", "forwarded").inc(3)
metrics.messages.labels("acme", "b.example", "forwarded").inc()
metrics.stage_seconds.labels("forward").observe(0.02)
metrics.policy_reload_failed.set(1)
"""


def test_counts_are_added_and_gauges_are_not(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", BESIDE, str(tmp_path)], check=True, timeout=60)
    own = Metrics()
    own.messages.labels("acme", "a.example", "forwarded").inc(2)
    own.stage_seconds.labels("forward").observe(0.2)
    own.policy_reload_failed.set(0)
    families = list(text_string_to_metric_families(text_of(own.registry, tmp_path).decode()))
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }
    assert found["relay_messages_total", "a.example", "acme", "forwarded"] == 5
    assert found["relay_messages_total", "acme", "b.example", "forwarded"] == 1
    assert found["relay_stage_seconds_count", "forward"] == 2
    assert found["relay_stage_seconds_bucket", "0.025", "forward"] == 1
    assert found["relay_stage_seconds_bucket", "+Inf", "forward"] == 2
    assert found["relay_policy_reload_failed",] == 0
    names = [family.name for family in families]
    assert len(names) == len(set(names))
