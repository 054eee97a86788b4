"""ETags (RFC 9110 §8.8.3): what is known is told in a few bytes, and nobody's change is lost."""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated

from fastapi import Header, Response

from relay.web.asgi import Scope

JSON = "application/json"
IfMatch = Annotated[
    str | None,
    Header(alias="if-match", description="The ETag that it must still have; 412 if it has not."),
]


def tagged(body: bytes, status: int = 200) -> Response:
    """The answer `body`, which is JSON and the whole of what it tells of, with its ETag."""
    return Response(body, status, _fields(body), JSON)


def is_matched(if_match: str, body: bytes) -> bool:
    """Whether `body`, what would be answered now, is what `if_match` names (RFC 9110 §13.1.1).

    The comparison is the strong one (§8.8.3.2): a weak tag matches nothing.
    """
    asked = {each.strip() for each in if_match.split(",")}
    return not asked.isdisjoint({"*", _tag(body)})


def told_once(body: bytes, scope: Scope) -> Response:
    """`tagged`; 304 where the request says that it is known."""
    known = _known(scope)
    if known and not {_tag(body), "*"}.isdisjoint(known):
        return Response(status_code=304, headers=_fields(body))
    return tagged(body)


def _tag(body: bytes) -> str:
    return f'"{sha256(body).hexdigest()[:32]}"'


def _fields(body: bytes) -> dict[str, str]:
    return {"etag": _tag(body), "cache-control": "private, no-cache"}


def _known(scope: Scope) -> set[str]:
    fields = [value for name, value in scope["headers"] if name == b"if-none-match"]
    tags = b",".join(fields).decode("latin-1").split(",") if fields else []
    return {each.strip().removeprefix("W/") for each in tags}
