"""The day on which the plan of a policy begins where none is named."""

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

POLICY = """\
description: Two tiers
source: a test
ramp:
  advance: calendar-days
  tiers: [{from: 0, cap: 50}, {from: 2, cap: unlimited}]
window: {kind: calendar-day, timezone: ZONE, starts: "00:00"}
"""


@pytest.mark.parametrize("zone", ["Etc/GMT+12", "Pacific/Kiritimati"])  # never the same date
def test_a_plan_begins_on_the_date_in_the_zone_of_its_policy(tmp_path: Path, zone: str) -> None:
    file = tmp_path / "zoned.yaml"
    file.write_text(POLICY.replace("ZONE", zone))
    done = subprocess.run(
        [sys.executable, "-m", "relay", "plan", str(file), "--json"],
        capture_output=True,
        timeout=60,
        check=True,
    )
    today = datetime.now(ZoneInfo(zone)).date()
    assert json.loads(done.stdout)["days"][0]["date"] == today.isoformat()
