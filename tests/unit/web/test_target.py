"""Targets of requests, in whatever form."""

from __future__ import annotations

import pytest

from relay.web.target import in_origin_form


def scope_of(raw_path, path):
    headers = [(b"host", b"other"), (b"accept", b"*/*")]
    return {"type": "http", "raw_path": raw_path, "path": path, "headers": headers}


@pytest.mark.parametrize(
    ("raw_path", "host", "path"),
    [
        (b"http://relay:80/api/warmup", b"relay:80", "/api/warmup"),
        (
            b"HTTPS://relay/api/warmup/status/b%C3%BCcher.example",
            b"relay",
            "/api/warmup/status/bücher.example",
        ),
        (b"http://relay", b"relay", "/"),
        (b"http://relay//x", b"relay", "//x"),
    ],
)
def test_the_host_of_an_absolute_target_is_the_host(raw_path, host, path):
    asked = in_origin_form(scope_of(raw_path, "?"))
    assert (asked["path"], asked["headers"]) == (path, [(b"host", host), (b"accept", b"*/*")])


@pytest.mark.parametrize("raw_path", [b"/api/warmup", b"/http://relay/", b"*", b"ftp://relay/"])
def test_any_other_target_is_left_alone(raw_path):
    scope = scope_of(raw_path, raw_path.decode())
    assert in_origin_form(scope) is scope
