"""ETags: an answer that its reader has already is told in a few bytes (RFC 9110 §8.8.3)."""

from __future__ import annotations

from hashlib import sha256

from fastapi import Response

from relay.web.asgi import Scope

JSON = "application/json"


def told_once(body: bytes, scope: Scope) -> Response:
    """The answer `body`, which is JSON, with its ETag; 304 where the request says it is known."""
    tag = f'"{sha256(body).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": "private, no-cache"}
    known = _known(scope)
    if known and not {tag, "*"}.isdisjoint(known):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=JSON)


def _known(scope: Scope) -> set[str]:
    fields = [value for name, value in scope["headers"] if name == b"if-none-match"]
    tags = b",".join(fields).decode("latin-1").split(",") if fields else []
    return {each.strip().removeprefix("W/") for each in tags}
