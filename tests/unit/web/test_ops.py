"""/metrics, /healthz and /readyz where the relay answers them itself."""

import json

import pytest

from relay.web.ops import Ops


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/x", 404), ("POST", "/metrics", 405)]
)
async def test_what_is_not_here_is_told_as_problem_details(method, path, status):
    sent = []

    async def send(message):
        sent.append(message)

    await Ops(None)({"type": "http", "method": method, "path": path, "headers": []}, None, send)
    headers = dict(sent[0]["headers"])
    assert (sent[0]["status"], headers[b"content-type"]) == (status, b"application/problem+json")
    assert json.loads(sent[1]["body"])["status"] == status
    assert headers.get(b"allow") == (b"GET, HEAD" if status == 405 else None)
