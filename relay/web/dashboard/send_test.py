"""`/dashboard/send-test`: one message through the pipeline, and everything that came of it."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from relay.core.errors import RelayError
from relay.core.policy.policy import MailClass
from relay.core.status.report import Status
from relay.core.tenants.tenancy import SendingDomain
from relay.ports.web import Mail, NotSent, Sent
from relay.web.api.compose import composed
from relay.web.api.problems import Problem
from relay.web.api.schemas import Email
from relay.web.dashboard.desk import PagesDesk, desk_of, form_of, viewer_of
from relay.web.dashboard.framing import page

FIELDS: Final = {
    "domain": "",
    "local": "test",
    "to": "",
    "subject": "A test of warmup-relay",
    "text": "This message was sent from the dashboard, to see whether mail flows.",
    "class": "",
}
MOST: Final = {"local": 64, "to": 998, "subject": 500, "text": 20_000}
"""Characters of each: a message is composed in the loop, which takes up to 50 microseconds for one.

A test goes to few. What is longer goes by the API, which composes beside the loop.
"""

SHOWN_BYTES: Final = 6_000


async def show(request: Request) -> Response:
    """The form."""
    return _page(request, FIELDS | {"domain": request.query_params.get("domain", "")})


async def send(request: Request) -> Response:
    """Compose, send, and tell."""
    desk = desk_of(request)
    given = {name: form_of(request).get(name, "").replace("\r\n", "\n") for name in FIELDS}
    domain = _domain(request, given["domain"])
    if domain is None:
        return _page(request, given, wrong="Choose one of your domains.")
    for name, most in MOST.items():
        if len(given[name]) > most:
            return _page(request, given, wrong=f"{name}: more than {most} characters.")
    try:
        envelope, content = composed(_email(given))
    except (Problem, ValidationError) as error:
        return _page(request, given, wrong=_told(error))
    tenant = desk.directory.tenants[domain.tenant]
    mail = Mail(tenant, envelope, content, viewer_of(request).actor)
    return _page(request, given, came=await _sent(desk, domain, mail))


def _domain(request: Request, name: str) -> SendingDomain | None:
    found = desk_of(request).directory.domains.get(name)
    return found if found and viewer_of(request).sees(found.tenant) else None


def _email(given: dict[str, str]) -> Email:
    fields: dict[str, Any] = {
        "from": f"{given['local']}@{given['domain']}",
        "to": [each.strip() for each in given["to"].split(",") if each.strip()],
        "subject": given["subject"],
        "text": given["text"],
    }
    if given["class"] in set(MailClass):
        fields["class"] = given["class"]
    return Email.model_validate(fields)


async def _sent(desk: PagesDesk, domain: SendingDomain, mail: Mail) -> dict[str, Any]:
    routes = domain.routes
    before = await desk.statuses(routes)
    result: Sent | NotSent
    with desk.proving.watching() as tray:
        try:
            # Nobody hangs up on this: the page waits for the whole of it.
            result = await desk.outbox.send(mail, asyncio.get_running_loop().create_future())
        except NotSent as error:
            result = error
    after = await desk.statuses(routes)
    return {
        "ref": result.ref,
        "is_sent": isinstance(result, Sent),
        "reply": _reply(result),
        "verified": await desk.proving.verify(tray, domain) if tray.content else (),
        "changes": [_change(*pair) for pair in zip(before, after, strict=True)],
        "content": tray.content[:SHOWN_BYTES].decode("utf-8", "replace").replace("\r\n", "\n"),
    }


def _reply(result: Sent | NotSent) -> str:
    if isinstance(result, Sent):
        return str(result.reply)
    error = result.error
    return str(error.reply()) if isinstance(error, RelayError) else "451 4.3.0 an internal failure"


def _change(before: Status, after: Status) -> dict[str, Any]:
    return {"route": str(before.route.id), "before": before.fields(), "after": after.fields()}


def _told(error: Problem | ValidationError) -> str:
    if isinstance(error, Problem):
        return str(error)
    return "; ".join(f"{each['loc'][0]}: {each['msg']}" for each in error.errors())[:500]


def _page(
    request: Request, given: dict[str, str], wrong: str = "", came: dict[str, Any] | None = None
) -> Response:
    desk, viewer = desk_of(request), viewer_of(request)
    domains = [each for each in desk.directory.domains.values() if viewer.sees(each.tenant)]
    answer = page(
        request,
        "send_test.html",
        "send-test",
        domains=domains,
        given=given,
        classes=list(MailClass),
        most=MOST,
        wrong=wrong,
        came=came,
    )
    answer.status_code = 422 if wrong else 200
    return answer
