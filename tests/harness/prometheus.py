"""A Prometheus that scrapes one relay, in a directory of its own."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from tests.harness.ports import free_port
from tests.harness.processes import Child
from tests.harness.waiting import until

CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: {job}
    static_configs: [{{targets: ["127.0.0.1:{target}"]}}]
"""


class Prometheus:
    """Scrapes `target`, a port, every second, as `job`."""

    def __init__(self, home: Path, target: int, job: str) -> None:
        home.mkdir()
        self._home = home
        self._port = free_port()
        (home / "prometheus.yml").write_text(CONFIG.format(job=job, target=target))

    def start(self) -> Prometheus:
        """Start it, and wait until it has scraped a few times: a rate needs two."""
        where = f"127.0.0.1:{self._port}"
        command = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
        log = self._home / "prometheus.log"
        self._child = Child([*command, f"--web.listen-address={where}"], log, cwd=self._home)
        until(self._has_scraped, "Prometheus to scrape", timeout_s=30, detail=self._child.tail)
        return self

    def _has_scraped(self) -> bool:
        found = self.query("count_over_time(up[1m])")
        return bool(found) and float(found[0]["value"][1]) >= 3

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Its series now; none while it starts. Raises AssertionError for what is no expression."""
        asked = urllib.parse.urlencode({"query": expression})
        url = f"http://127.0.0.1:{self._port}/api/v1/query?{asked}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as refused:
            if refused.code != 503:
                raise AssertionError(refused.read().decode()) from None
            return []
        except OSError:
            return []
        return found

    def end(self) -> None:
        """For finalizers: end it."""
        self._child.end()
