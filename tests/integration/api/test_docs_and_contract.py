"""The examples of docs/api.md work as they stand, and the OpenAPI document is true."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys

import pytest

from tests.harness.relay_config import DOMAIN, RelayConfig
from tests.harness.relay_process import ROOT
from tests.harness.web_process import WebProcess

PAGE = ROOT / "docs" / "api.md"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
EXAMPLES = re.findall(r"<!-- tested -->\n```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A relay with the domain of the page, and its API."""
    from tests.harness.relay_process import RelayProcess

    config = RelayConfig()
    web = {"address": f"127.0.0.1:{config.web_port}", "api": False, "requests_per_minute": 100_000}
    config.more = {"web": web}
    relay = RelayProcess(tmp_path_factory.mktemp("docs"), config)
    made = WebProcess(relay)
    try:
        relay.start()
        made.start()
        made.token = made.make_token("read", "send", "manage")
        yield made
    finally:
        made.end()
        relay.end()


def test_every_example_of_the_page_works(own):
    assert len(EXAMPLES) == 4
    env = {**os.environ, "API": f"http://127.0.0.1:{own.port}", "TOKEN": own.token}
    for text in EXAMPLES:
        script = text.replace("curl -s", "curl -sS --fail-with-body")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            capture_output=True, text=True, timeout=60, env=env, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    assert own.get(f"/api/warmup/status/{DOMAIN}").json["emails_sent_today"] == 4


@pytest.mark.parametrize("has_another", [False, True], ids=["alone", "behind a live one"])
def test_the_stream_tells_of_a_change_and_ends_with_its_token(own, has_another):
    """Of two tokens the last one is let in, and the stream is its."""
    words = ("token", "create", "--tenant", "acme", "--scope", "read", "--json")
    made = own.relay.cli(*words).json
    connection = http.client.HTTPConnection("127.0.0.1", own.port, timeout=20)
    connection.putrequest("GET", "/api/stream")
    for token in [own.token] * has_another + [made["token"]]:
        connection.putheader("Authorization", f"Bearer {token}")
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("content-type")) == (
        200, "text/event-stream; charset=utf-8",
    )  # fmt: skip

    def event():
        for _ in range(200):
            line = answer.readline().decode()
            if line.startswith("data: "):
                return json.loads(line[6:])
            assert line, "the stream has ended"
        raise AssertionError("no event came")

    [first] = event()
    if first["state"] == "paused":  # all streams share what was read a moment ago
        [first] = event()
    assert (first["id"], first["state"] != "paused") == (DOMAIN, True)
    own.post(f"/api/warmup/pause/{DOMAIN}")
    assert [each["state"] for each in event()] == ["paused"]
    assert own.relay.cli("token", "revoke", made["id"]).exit == 0
    rest = answer.read()  # ends, or the connection's timeout raises
    assert b"data:" not in rest
    connection.close()
    own.post(f"/api/warmup/resume/{DOMAIN}")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_openapi_document_is_true(own):
    """Made-up requests, right and wrong: no 5xx, and no status or body that is not declared."""
    command = [
        sys.executable, "-m", "schemathesis.cli", "run",
        f"http://127.0.0.1:{own.port}/api/openapi.json",
        "-H", f"Authorization: Bearer {own.token}",
        "--checks", ",".join(CHECKS),
        "--exclude-path", "/api/stream", "--max-examples", "15", "--workers", "1",
        "--phases", "coverage,fuzzing",
        "--generation-deterministic", "--no-color", "--suppress-health-check", "all",
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=280, check=False,
        cwd=own.relay.home,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
