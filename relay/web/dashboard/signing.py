"""`/dashboard/sign-in` and `/dashboard/sign-out`."""

from __future__ import annotations

import hmac
import secrets
from datetime import timedelta
from math import ceil
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from relay.ports.pages import NoEntry
from relay.web.dashboard.desk import desk_of, form_of
from relay.web.dashboard.guard import COOKIE, cookies
from relay.web.dashboard.rendering import render, span

HOME: Final = "/dashboard/warmup"
FORM_COOKIE: Final = "wr_form"
"""Ties the sign-in form to the browser that it was shown to, before there is a session."""


async def show(request: Request) -> Response:
    """The form; whoever is signed in already goes on."""
    if request.scope["state"]["viewer"] is not None:
        return RedirectResponse(_next(request.query_params.get("next", "")), 303)
    return _form(request, request.query_params.get("next", ""))


async def sign_in(request: Request) -> Response:
    """A name and a password; a session that the browser had before is over in any case."""
    desk, form = desk_of(request), form_of(request)
    here = cookies(request.scope)
    known, back = here.get(FORM_COOKIE, ""), form.get("next", "")
    if not known or not hmac.compare_digest(known.encode(), form.get("form", "").encode()):
        told = "Your browser did not send the form's cookie back. Please try again."
        return _form(request, back, told, status=403)
    address = request.client.host if request.client else ""
    name = form.get("name", "")
    try:
        text = await desk.sign_in.sign_in(name, form.get("password", ""), address)
    except NoEntry as refusal:
        return _refused(request, refusal, name, back)
    if old := here.get(COOKIE):
        await desk.sign_in.sign_out(old)
    answer = RedirectResponse(_next(back), 303)
    _set_cookie(request, answer, COOKIE, text)
    answer.delete_cookie(FORM_COOKIE, path="/dashboard")
    return answer


async def sign_out(request: Request) -> Response:
    """The session is over, here and in the store."""
    await desk_of(request).sign_in.sign_out(cookies(request.scope).get(COOKIE, ""))
    answer = RedirectResponse("/dashboard/sign-in", 303)
    answer.delete_cookie(COOKIE, path="/dashboard")
    return answer


def _refused(request: Request, refusal: NoEntry, name: str, back: str) -> Response:
    if not refusal.wait_s:
        told = "That name and password do not go together."
        return _form(request, back, told, name=name, status=401)
    wait_s = ceil(refusal.wait_s)
    length = f"{wait_s} s" if wait_s < 60 else span(timedelta(seconds=wait_s))
    told = f"Too many attempts. Try again in {length}."
    answer = _form(request, back, told, name=name, status=429)
    answer.headers["retry-after"] = str(wait_s)
    return answer


def _form(
    request: Request, back: str, wrong: str = "", *, name: str = "", status: int = 200
) -> Response:
    known = cookies(request.scope).get(FORM_COOKIE) or secrets.token_urlsafe(24)
    simulated = request.app.state.simulated()
    text = render(
        "sign_in.html", form=known, next=back, wrong=wrong, name=name, simulated=simulated
    )
    answer = HTMLResponse(text, status)
    _set_cookie(request, answer, FORM_COOKIE, known)
    return answer


def _set_cookie(request: Request, answer: Response, name: str, text: str) -> None:
    answer.set_cookie(
        name,
        text,
        path="/dashboard",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


def _next(back: str) -> str:
    """Where to go on: a page of ours, or the first one."""
    is_ours = back.startswith("/dashboard/") and "//" not in back and "\\" not in back
    return back if is_ours and back.isprintable() else HOME
