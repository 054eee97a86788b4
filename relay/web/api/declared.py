"""The answers that routes declare in the OpenAPI document, by status."""

from __future__ import annotations

from typing import Any, Final

from relay.web.api.schemas import Problem, WarmupLimit

_PROBLEM: Final = {"model": Problem}
_TELLS: Final = {
    400: "The body is no text, or the request makes no sense as HTTP.",
    401: "No token, or one that is unknown, revoked or expired.",
    403: "The token lacks the scope, or the domain is not its tenant's.",
    404: "There is no such thing for this token.",
    405: "Not this method.",
    408: "The body took too long.",
    409: "It is so already, or an earlier request with this Idempotency-Key is under way.",
    412: "It is not as `If-Match` says: read it again.",
    413: "The body, or the message, is too big.",
    415: "The body is not said to be JSON (mail: nor message/rfc822), or is in a coding.",
    422: "Something in the request is wrong: `detail` says what.",
    429: "Too many requests with this token; `Retry-After` says when.",
    500: "An internal failure: the log has it, and nobody knows what was done.",
    502: "The upstream may have taken the message: nobody knows.",
    503: "The store or the upstream does not answer; nothing was sent.",
}
_ALWAYS: Final = (400, 401, 403, 405, 408, 413, 422, 429, 500, 503)


def answers(*more: int) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route: those of every route, and `more`."""
    return {
        status: {
            "description": _TELLS[status],
            "content": {"application/problem+json": {"schema": _REF}},
        }
        for status in sorted({*_ALWAYS, *more})
    }


_REF: Final = {"$ref": "#/components/schemas/Problem"}


def answers_to_mail(*more: int) -> dict[int | str, dict[str, Any]]:
    """The same where 429 may be a wall."""
    found = answers(409, 415, 502, *more)
    found[429] = {
        "description": "A wall is in the way (application/json), or too many requests.",
        "model": WarmupLimit,
        "content": {"application/problem+json": {"schema": _REF}},
        "headers": {"Retry-After": {"schema": {"type": "integer"}}},
    }
    return found
