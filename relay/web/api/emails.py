"""`/api/emails`: mail over HTTP, through the same pipeline and the same quota as SMTP's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter, ValidationError

from relay.core.errors import RelayError, UnknownOutcome
from relay.core.mail.message import Envelope
from relay.core.tenants.access import ApiToken
from relay.ports.web import Mail, NotSent, Sent
from relay.web.api.compose import composed
from relay.web.api.declared import answers_to_mail
from relay.web.api.desk import Desk, Sender, TheDesk
from relay.web.api.problems import Problem, invalid, problem_of
from relay.web.api.raw import received
from relay.web.api.schemas import MOST_OF_BATCH, BatchResult, Email, SentEmail
from relay.web.once import NOTHING_DONE

router = APIRouter(prefix="/api/emails", tags=["mail"])

JSON: Final = "application/json"
RAW: Final = "message/rfc822"

SMALL_BYTES: Final = 2048
"""A body up to this is composed at once (0.1 s of CPU at worst), a longer one in a thread."""

_ONE: Final = TypeAdapter(Email)
_MANY: Final = TypeAdapter(list[Email])
_REF: Final = {"$ref": "#/components/schemas/Email"}
_RAW_SCHEMA: Final = {"schema": {"type": "string", "format": "binary"}}
_TAKES_ONE: Final = {
    "requestBody": {"required": True, "content": {JSON: {"schema": _REF}, RAW: _RAW_SCHEMA}}
}
_LIST: Final = {"type": "array", "items": _REF, "minItems": 1, "maxItems": MOST_OF_BATCH}
_TAKES_MANY: Final = {"requestBody": {"required": True, "content": {JSON: {"schema": _LIST}}}}


@router.post("", response_model=SentEmail, responses=answers_to_mail(), openapi_extra=_TAKES_ONE)
async def send(
    desk: TheDesk,
    bearer: Sender,
    request: Request,
    to: Annotated[list[str] | None, Query(description="Recipients of a raw message.")] = None,
    mail_from: Annotated[
        str | None, Query(alias="from", description="Envelope sender of a raw message.")
    ] = None,
) -> Response:
    """Send one message: answered when the upstream has taken it.

    JSON, or a raw message as message/rfc822; a raw one goes to those named by `to`, else to
    its To and Cc.
    """
    kind = _kind(request)
    if kind == RAW:
        raw = request.scope["state"]["body"]
        mail = await _made(desk, bearer, request, partial(received, raw, mail_from, to or []))
    elif kind == JSON:
        mail = await _made(desk, bearer, request, partial(composed, _read(_ONE, request)))
    else:
        raise Problem(415, f"send {JSON} or {RAW}")
    return JSONResponse(_fields(await _sent(desk, request, mail)))


@router.post(
    "/batch",
    response_model=BatchResult,
    responses=answers_to_mail()
    | {207: {"model": BatchResult, "description": "The upstream did not take all of them."}},
    openapi_extra=_TAKES_MANY,
)
async def send_batch(desk: TheDesk, bearer: Sender, request: Request) -> Response:
    """Send up to 100 messages whose quota is reserved as one: all of it, or 429 and none.

    What the upstream then says of one message does not keep the others from being sent: 207.
    """
    if _kind(request) != JSON:
        raise Problem(415, f"send {JSON}")
    emails = _read(_MANY, request)
    if not 1 <= len(emails) <= MOST_OF_BATCH:
        raise Problem(422, f"a batch is 1 to {MOST_OF_BATCH} messages")
    mails = [await _made_of_batch(desk, bearer, request, *pair) for pair in enumerate(emails)]
    found = await desk.outbox.send_all(mails)
    items = [_item(each) for each in found]
    is_whole = all(isinstance(each, Sent) for each in found)
    if all(map(_was_refused, found)):
        request.scope["state"][NOTHING_DONE] = True
    return JSONResponse({"data": items}, 200 if is_whole else 207)


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _read(adapter: TypeAdapter[Any], request: Request) -> Any:
    try:
        return adapter.validate_json(request.scope["state"]["body"])
    except ValidationError as error:
        raise invalid(error.errors(include_input=False, include_url=False)) from error


async def _made(
    desk: Desk, bearer: ApiToken, request: Request, make: Callable[[], tuple[Envelope, bytes]]
) -> Mail:
    """What `make` makes; a large one in a thread and in its turn, so that nobody waits for it."""
    tenant = desk.directory.tenants.get(bearer.tenant or "")
    if tenant is None:
        raise Problem(403, "the tenant of this token is no more")
    if len(request.scope["state"]["body"]) <= SMALL_BYTES:
        envelope, content = make()
    else:
        async with desk.composing:
            envelope, content = await asyncio.to_thread(make)
    if len(envelope.recipients) > desk.limits.recipients:
        raise Problem(422, f"a message has at most {desk.limits.recipients} recipients")
    return Mail(tenant, envelope, content, bearer.actor)


async def _made_of_batch(
    desk: Desk, bearer: ApiToken, request: Request, number: int, email: Email
) -> Mail:
    try:
        return await _made(desk, bearer, request, partial(composed, email))
    except Problem as problem:
        told = f"message {number}: {problem}"  # as `BadMessageOfBatch`
        raise Problem(problem.status, told, problem.headers, index=number) from problem


async def _sent(desk: Desk, request: Request, mail: Mail) -> Sent:
    failure: NotSent | None = None
    async with asyncio.TaskGroup() as group:
        gone = group.create_task(_until_gone(request))
        try:
            sent = await desk.outbox.send(mail, gone)
        except NotSent as error:
            failure = error
        finally:
            gone.cancel()
    if failure is not None:
        raise failure
    return sent


async def _until_gone(request: Request) -> None:
    """Until the client has hung up (the body was read before this)."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _fields(sent: Sent) -> dict[str, Any]:
    return {"id": sent.ref, "reply": str(sent.reply), "duplicate": sent.is_retry}


def _was_refused(found: Sent | NotSent) -> bool:
    """Whether it was surely not sent."""
    return isinstance(found, NotSent) and not isinstance(found.error, UnknownOutcome)


def _item(found: Sent | NotSent) -> dict[str, Any]:
    if isinstance(found, Sent):
        return {"id": found.ref, "reply": str(found.reply), "error": None}
    assert isinstance(found.error, RelayError)
    problem = problem_of(found.error)
    told = {"type": "about:blank", "title": "Not Sent", "status": problem.status}
    return {"id": found.ref, "reply": None, "error": told | {"detail": str(problem)}}
