"""Every answer that is an error, made in one place: problem details (RFC 9457).

The one exception is a wall: its body is that of DESIGN §7, which clients of other senders
know, with the status 429 and `Retry-After`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from math import ceil
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from relay.core.errors import (
    KeyTrouble,
    MessageTooBig,
    NotPermitted,
    RelayError,
    StillUnderWay,
    StoreTrouble,
    UnknownOutcome,
    UpstreamAnswered,
    WarmupLimit,
)
from relay.core.status.report import Status
from relay.ports import Clock
from relay.ports.domains import DomainRefused, Why
from relay.ports.web import BadMessageOfBatch, NotSent
from relay.web.asgi import PROBLEM_TYPE
from relay.web.heads import methods_at
from relay.web.once import MAYBE_DONE

log = logging.getLogger(__name__)

TITLES: Final = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    412: "Precondition Failed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    500: "Internal Server Error",
    502: "Outcome Unknown",
    503: "Service Unavailable",
}
_RETRY_S: Final = 30
_REFUSED: Final = {
    Why.UNKNOWN: 404,
    Why.CONFLICT: 409,
    Why.BAD: 422,
    Why.AWAY: 503,
    Why.CHANGED: 412,
}


class Problem(Exception):
    """A refusal in words for the client; `more` are members of the problem of their own."""

    def __init__(
        self, status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = dict(headers or {})
        self.more = more


def answer_to(problem: Problem) -> JSONResponse:
    """`problem` as it is sent."""
    told: dict[str, Any] = {
        "type": "about:blank",
        "title": TITLES.get(problem.status, "Error"),
        "status": problem.status,
        "detail": sayable(str(problem)),
        **problem.more,
    }
    return JSONResponse(told, problem.status, problem.headers, PROBLEM_TYPE)


def problem_of(error: RelayError) -> Problem:
    """What `error` of the pipeline means over HTTP; walls are `wall_answer`."""
    status = 422
    match error:
        case NotPermitted():
            status = 403
        case MessageTooBig():
            status = 413
        case StillUnderWay():
            status = 409
        case UnknownOutcome():
            told = "the upstream may have taken the message: nobody knows"
            return Problem(502, told, {MAYBE_DONE.decode(): "1"})
        case StoreTrouble() | KeyTrouble():
            status = 503
        case UpstreamAnswered():
            status = 503 if error.answer.code // 100 == 4 else 422
            return Problem(status, str(error.reply()), _patience(status), upstream=True)
        case _ if error.outcome != "refused":
            status = 503
    return Problem(status, str(error), _patience(status))


def _patience(status: int) -> dict[str, str]:
    return {"retry-after": str(_RETRY_S)} if status == 503 else {}


def wall_fields(error: WarmupLimit, tenant: str) -> dict[str, Any]:
    """The body of DESIGN §7 for a wall."""
    wall = error.wall
    fields = Status(wall.route, tenant, wall.window, wall.standing).fields()
    kept = ("domain", "daily_limit", "emails_sent_today", "warmup_day", "warmup_ends_at")
    return {"name": "warmup_limit", "message": str(error)} | {name: fields[name] for name in kept}


def wall_answer(error: WarmupLimit, tenant: str, ref: str, now: datetime) -> JSONResponse:
    """429 with `Retry-After`: when the wall opens, spread by `ref`; without one while paused."""
    at = error.wall.retry_at(ref)
    headers = {} if at is None else {"retry-after": str(max(1, ceil((at - now).total_seconds())))}
    return JSONResponse(wall_fields(error, tenant), 429, headers)


def install(
    app: FastAPI, clock: Clock, tenant_of: Callable[[str], str], routes: Sequence[BaseRoute]
) -> None:
    """Have `app` answer every exception from here. `tenant_of` is by domain, `routes` are all."""

    async def not_sent(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, NotSent)
        cause = error.error
        if isinstance(cause, WarmupLimit):
            tenant = tenant_of(cause.wall.route.id.domain)
            return wall_answer(cause, tenant, error.ref, clock.now())
        if not isinstance(cause, RelayError):
            log.error("unexpected failure [%s]", error.ref, exc_info=cause)
            told = Problem(500, "an internal failure", {MAYBE_DONE.decode(): "1"})
        else:
            told = problem_of(cause)
        told.more["ref"] = error.ref
        return answer_to(told)

    async def bad_message(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, BadMessageOfBatch)
        told = problem_of(error.error)
        told.args = (str(error),)
        told.more["index"] = error.number
        return answer_to(told)

    async def plain(request: Request, error: Exception) -> JSONResponse:
        if isinstance(error, RequestValidationError) and _is_no_json(request, error):
            return answer_to(Problem(415, "send application/json"))
        told = problem_from(error)
        if told.status == 405:
            told.headers["allow"] = methods_at(request.scope["path"], routes)
        return answer_to(told)

    app.add_exception_handler(NotSent, not_sent)
    app.add_exception_handler(BadMessageOfBatch, bad_message)
    kinds = (Problem, HTTPException, RequestValidationError, StoreTrouble, DomainRefused, Exception)
    for kind in kinds:
        app.add_exception_handler(kind, plain)


def problem_from(error: Exception) -> Problem:
    """What to say of whatever was raised; what nobody expected is logged."""
    match error:
        case Problem():
            return error
        case HTTPException():
            return Problem(error.status_code, str(error.detail), error.headers)
        case RequestValidationError():
            return invalid(error.errors())
        case StoreTrouble():
            return problem_of(error)
        case DomainRefused():
            status = _REFUSED[error.why]
            more = {"field": error.field} if error.field else {}
            return Problem(status, str(error), _patience(status), **more)
    log.error("unexpected failure", exc_info=error)
    return Problem(500, "an internal failure", {MAYBE_DONE.decode(): "1"})


def _is_no_json(request: Request, error: RequestValidationError) -> bool:
    """Whether a body was not read as JSON because it was not said to be (RFC 9110 §15.5.16)."""
    whole = [each["loc"] for each in error.errors()] == [("body",)]
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = kind.startswith("application/") and kind.endswith(("/json", "+json"))
    return whole and not is_json and bool(request.scope["state"].get("body"))


def invalid(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """What pydantic has against a request; of a list with the `index` of the first fault."""
    places = [_place(each) for each in errors]
    more: dict[str, Any] = {"errors": places[:20]}
    at = errors[0]["loc"][:1]
    if at and isinstance(at[0], int):
        more["index"] = at[0]
    return Problem(422, "; ".join(places)[:1000], **more)


_OF_UNION: Final = re.compile(r"constrained-\w+|list\[.*\]")
"""What pydantic calls the forms that a field may have."""


def _place(error: Mapping[str, Any]) -> str:
    if error["type"] == "json_invalid" and error["loc"]:  # of FastAPI: the place counts from 0
        told = error["ctx"]["error"]
        return sayable(f"Invalid JSON: {told} at character {error['loc'][-1] + 1}")
    parts = [str(part) for part in error["loc"] if part != "body"]
    where = ".".join(part for part in parts if not _OF_UNION.fullmatch(part))
    told = f"{where}: {error['msg']}" if where else str(error["msg"])
    return sayable(told)


def sayable(text: str) -> str:
    """`text` as JSON can carry it: what a client sent may hold half a character, or no UTF-8."""
    return text.encode(errors="replace").decode()
