"""AUTH exchanges: a login is exactly what was sent, or a refusal; never anything else."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode

from relay.edge.auth import Ask, Login, log_in
from relay.edge.replies import Misspoken

SEEDS = (
    b"PLAIN " + b64encode(b"\0acme\0right"),
    b"PLAIN\n" + b64encode(b"\0acme\0right"),
    b"LOGIN\n" + b64encode(b"acme") + b"\n" + b64encode(b"right"),
    b"PLAIN " + b64encode(b"root\0acme\0right"),
    b"PLAIN =\n",
    b"LOGIN\n*",
    b"PLAIN " + b64encode(b"\0\xff\0\xfe"),
)
DICTIONARY = (b"PLAIN ", b"LOGIN ", b"AGFjbWUAcmlnaHQ=", b"=", b"*", b"CRAM-MD5")


def run(data: bytes) -> None:
    """The first line is the argument of AUTH, the others answer its challenges."""
    argument, *answers = data.split(b"\n")
    waiting, used = iter(answers), [argument.partition(b" ")[2]]

    async def ask(challenge: bytes) -> bytes:
        b64decode(challenge, validate=True)
        used.append(next(waiting, b"*"))
        return used[-1]

    login = asyncio.run(_login_or_none(argument.decode("utf-8", "replace"), ask))
    if login:
        _check(login, b" ".join(argument.split(b" ")[:1]).upper(), used)


async def _login_or_none(argument: str, ask: Ask) -> Login | None:
    try:
        return await log_in(argument, ask)
    except Misspoken as refused:
        if refused.reply.code not in {501, 504}:
            raise
        return None


def _check(login: Login, mechanism: bytes, used: list[bytes]) -> None:
    initial, *asked = used
    parts = [*([initial] if initial else []), *asked]
    plain = [b"" if part == b"=" else b64decode(part, validate=True) for part in parts]
    text = [part.decode("utf-8", "replace") for part in plain]
    if mechanism == b"LOGIN":
        assert text == [login.username, login.token]
    else:
        [one] = text
        acts_for, username, token = one.split("\0")
        assert (username, token) == (login.username, login.token)
        assert login.is_for_itself == (acts_for in {"", username})
    shown = repr(login).replace(repr(login.username), "")
    assert len(login.token) < 12 or login.token not in shown
