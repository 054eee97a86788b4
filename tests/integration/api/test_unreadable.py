"""What is no HTTP, and what is too much at once: problem details, on both sides of the web."""

from __future__ import annotations

import json
import socket

import pytest

PROBLEM = "application/problem+json"


def told(port: int, sent: bytes) -> tuple[list[str], bytes]:
    """Head and body of what is answered to `sent`, up to the end of the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(sent)
        answer = b""
        while more := connection.recv(65536):
            answer += more
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.decode().lower().split("\r\n"), body


@pytest.mark.parametrize(
    "sent",
    [
        b"HELLO\r\n\r\n",
        b"GET /api/warmup HTTP/1.1\r\n\r\n",
        b"GET /api/warmup HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /api/warm up HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /api/warmup HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
        b"GET /api/warmup HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 20_000,
        b"POST /api/emails HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS client\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_with_problem_details(web, relay, sent):
    for port in (web.port, relay.config.web_port):
        [first, *fields], body = told(port, sent)
        assert first == "http/1.1 400 bad request"
        assert f"content-type: {PROBLEM}" in fields
        assert "connection: close" in fields
        assert json.loads(body) == {
            "type": "about:blank",
            "title": "Bad Request",
            "status": 400,
            "detail": "this is not HTTP/1.1, or its head is too long",
        }
    assert web.get("/api/warmup?limit=1").status == 200


def test_with_two_hundred_connections_the_last_is_still_answered(web):
    held = [socket.create_connection(("127.0.0.1", web.port), timeout=20) for _ in range(199)]
    try:
        for each in held:
            each.sendall(b"GET /api/warmup HTTP/1.1\r\nHost: a\r\nX: ")
        assert web.get("/api/warmup?limit=1").status == 200
    finally:
        for each in held:
            each.close()


def test_with_more_than_two_hundred_connections_a_request_is_told_to_come_again(web):
    held = [socket.create_connection(("127.0.0.1", web.port), timeout=20) for _ in range(200)]
    try:
        for each in held:
            each.sendall(b"GET /api/warmup HTTP/1.1\r\nHost: a\r\nX: ")
        answer = web.get("/api/warmup?limit=1")
        assert (answer.status, answer.headers["content-type"]) == (503, PROBLEM)
        assert answer.json["detail"] == "too many connections at once; try again later"
        assert answer.headers["retry-after"] == "5"
        for path in ("/healthz", "/readyz", "/metrics"):  # what keeps the relay its mail
            assert web.get(path).status == 200
    finally:
        for each in held:
            each.close()
    assert web.get("/api/warmup?limit=1").status == 200


@pytest.mark.parametrize("scheme", ["http", "HTTPS"])
def test_a_target_in_absolute_form_is_taken(web, relay, scheme):
    def asked(port, target):
        head = f"GET {target} HTTP/1.1\r\nHost: other\r\nConnection: close\r\n"
        [first, *fields], body = told(
            port, f"{head}Authorization: Bearer {web.token}\r\n\r\n".encode()
        )
        return first, fields, body

    for port in (web.port, relay.config.web_port):
        first, _, body = asked(port, f"{scheme}://relay.example:80/healthz")
        assert (first, json.loads(body)) == ("http/1.1 200 ok", {"status": "ok"})
    first, _, body = asked(web.port, f"{scheme}://relay.example/api/warmup?limit=1")
    assert (first, len(json.loads(body)["data"])) == ("http/1.1 200 ok", 1)
    first, fields, _ = asked(web.port, f"{scheme}://relay.example")
    assert "location: /dashboard/sign-in?next=%2f" in fields
