"""ETags: an answer that its reader has already is told in a few bytes (RFC 9110 §8.8.3)."""

from __future__ import annotations

from hashlib import sha256

from fastapi import Request, Response


def told_once(answer: Response, request: Request) -> Response:
    """`answer` with its ETag; 304 where `request` says that it is known."""
    tag = f'"{sha256(answer.body).hexdigest()[:32]}"'
    answer.headers["etag"] = tag
    answer.headers["cache-control"] = "private, no-cache"
    known = request.headers.get("if-none-match", "").split(",")
    if not {tag, "*"}.isdisjoint(each.strip().removeprefix("W/") for each in known):
        kept = {name: answer.headers[name] for name in ("etag", "cache-control")}
        return Response(status_code=304, headers=kept)
    return answer
