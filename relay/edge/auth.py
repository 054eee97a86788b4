"""AUTH PLAIN and AUTH LOGIN (RFC 4954, RFC 4616): challenges out, a username and token in.

Knows neither the session nor who checks the token. Nothing of an exchange is ever logged.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from relay.core.reply import Reply
from relay.edge.replies import Misspoken, syntax_error

MAX_FAILURES: Final = 5
"""Wrong credentials in one session; the one after it ends the session."""
_FIRST_DELAY_S: Final = 0.1
_LONGEST_DELAY_S: Final = 3.0

Ask = Callable[[bytes], Awaitable[bytes]]
"""Sends a challenge and returns the client's line, its end stripped."""


@dataclass(frozen=True, slots=True)
class Login:
    """What a client says of itself. `is_for_itself`: it asks to act for nobody else."""

    username: str
    token: str = field(repr=False)
    is_for_itself: bool = True


def delay_s(failures: int) -> float:
    """How long the answer to the failure number `failures` (from 1) is held back."""
    return min(_FIRST_DELAY_S * 2.0 ** (failures - 1), _LONGEST_DELAY_S)


async def log_in(argument: str, ask: Ask) -> Login:
    """Run the exchange that `AUTH <argument>` begins. Raises Misspoken."""
    mechanism, _, initial = argument.partition(" ")
    if not mechanism:
        raise syntax_error("AUTH needs a mechanism", "5.4")
    exchange = _MECHANISMS.get(mechanism.upper())
    if exchange is None:
        raise Misspoken(Reply(504, "5.4", "authentication mechanism not offered"))
    return await exchange(initial.encode() if initial else None, ask)


async def _plain(initial: bytes | None, ask: Ask) -> Login:
    response = _decoded(await _asked(b"", ask) if initial is None else initial)
    parts = response.split(b"\0")
    if len(parts) != 3:
        raise syntax_error("malformed authentication response", "5.2")
    acts_for, username, token = (part.decode("utf-8", "replace") for part in parts)
    return Login(username, token, is_for_itself=acts_for in {"", username})


async def _login(initial: bytes | None, ask: Ask) -> Login:
    username = _decoded(await _asked(b"Username:", ask) if initial is None else initial)
    token = _decoded(await _asked(b"Password:", ask))
    return Login(username.decode("utf-8", "replace"), token.decode("utf-8", "replace"))


async def _asked(challenge: bytes, ask: Ask) -> bytes:
    response = await ask(b64encode(challenge))
    if response == b"*":
        raise syntax_error("authentication cancelled", "7.0")
    return response


def _decoded(response: bytes) -> bytes:
    if response == b"=":  # an empty initial response (RFC 4954 §4)
        return b""
    try:
        return b64decode(response, validate=True)
    except binascii.Error:
        raise syntax_error("cannot decode the authentication response", "5.2") from None


_MECHANISMS: Final = {"PLAIN": _plain, "LOGIN": _login}
MECHANISMS: Final = " ".join(_MECHANISMS)
