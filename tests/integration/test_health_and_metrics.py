"""/metrics, /healthz and /readyz of the real command."""

from __future__ import annotations

import json
import re
import subprocess

from tests.conftest import MakeRelay
from tests.harness.relay_config import DOMAIN, UNLIMITED, calendar
from tests.harness.smtp_script import refuse
from tests.harness.upstream import SinkThread
from tests.harness.waiting import until
from tests.harness.wire import Wire, mail

SENDER = f"news@{DOMAIN}"
DOCUMENTED = re.findall(
    r"\w+",
    """
relay_messages_total relay_deferrals_total relay_quota_cap relay_quota_sent relay_quota_reserved
relay_quota_remaining relay_warmup_day relay_lifetime_sends relay_route_state
relay_upstream_replies_total relay_stage_seconds_bucket relay_store_up relay_policy_reload_failed
relay_connections relay_tasks
""",
)


def test_metrics_are_clean_by_promtool_and_count_what_happened(
    make_relay: MakeRelay, sink: SinkThread
) -> None:
    relay = make_relay(
        upstream=sink.url,
        policies={"ramp": calendar(3)},
        domains={DOMAIN: "ramp", "warm.acme.example": "exempt"},
    ).start()
    with Wire(relay.port) as wire:
        sink.once("RCPT", refuse("550 5.1.1 no such user"))
        codes = [wire.send(SENDER, "reader@example.org", mail(SENDER)).code for _ in range(5)]
        assert codes == [550, 250, 250, 250, 451]
        body = relay.http("/metrics").body
        assert relay.metric("relay_connections") == 1

    missing = [
        name for name in DOCUMENTED if f"\n{name}{{" not in body and f"\n{name} " not in body
    ]
    assert not missing
    outcomes = {
        name: relay.metric("relay_messages_total", domain=DOMAIN, outcome=name)
        for name in ("forwarded", "deferred", "refused")
    }
    assert outcomes == {"forwarded": 3, "deferred": 1, "refused": 1}
    assert relay.metric("relay_quota_sent", domain=DOMAIN) == 3
    assert relay.metric("relay_quota_cap", domain="warm.acme.example") == float("inf")
    assert relay.metric("relay_deferrals_total", domain=DOMAIN, wall="domain") == 1
    assert "reader@" not in body
    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        input=body, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_ready_needs_an_upstream_healthy_does_not(make_relay: MakeRelay, sink: SinkThread) -> None:
    relay = make_relay(upstream=sink.url).start()
    ready = json.loads(relay.http("/readyz").body)
    assert ready["checks"] == {"store": "ok", "upstream outbound": "ok"}
    assert "simulated_clock" in ready

    sink.end()

    until(lambda: relay.http("/readyz").status == 503, "not ready", timeout_s=15)
    assert relay.http("/healthz").status == 200


def test_the_simulated_clock_is_said_loudly_in_the_log(make_relay: MakeRelay) -> None:
    relay = make_relay(policies={"ramp": calendar(1, UNLIMITED)}).start()
    loud = [line for line in relay.log_lines() if line.get("level") == "warning"]
    assert any("clock" in json.dumps(line) for line in loud), relay.log_tail()
    assert relay.http("/nothing-here").status == 404
