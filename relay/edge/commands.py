"""Command lines, and the arguments of MAIL, RCPT and EHLO: text in, values out.

Case is preserved everywhere but in keywords. Everything wrong is a Misspoken with the reply
that the RFCs name for it. Parameters of DSN (RFC 3461) are accepted whether it is offered or
not: an upstream without it merely does not hear of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from string import hexdigits
from typing import Final

from relay.core.mail.message import Recipient
from relay.core.reply import Reply
from relay.core.values import value
from relay.edge.paths import BadPath, check_mailbox, plain_mailbox, split_path
from relay.edge.replies import Misspoken, syntax_error

MAX_COMMAND_BYTES: Final = 2048
"""512 (RFC 5321 §4.5.3.1.4) and the room that the parameters of the extensions ask for."""
MAX_AUTH_BYTES: Final = 12_288
"""RFC 4954 §4."""

_POSTMASTER: Final = "postmaster"
_CONTROLS: Final = bytes([*range(0x20), 0x7F])
_HEX: Final = frozenset(hexdigits)
_UTF8_ADDRESS: Final = re.compile(r"(?:[^+=\\]|\+[0-9A-Fa-f]{2}|\\x\{[0-9A-Fa-f]{2,6}\})+")
"""RFC 6533 §3, or escaped as in RFC 3461 §4; a word of a command, so no white space."""


@value(frozen=True, slots=True)
class Mail:
    """What MAIL says. `size_bytes` is None where it was not declared (RFC 1870)."""

    address: str
    size_bytes: int | None = None
    body: str | None = None
    smtputf8: bool = False
    ret: str | None = None
    envid: str | None = None


def parse_command(line: bytes) -> tuple[str, str]:
    """The verb of `line`, which still has its end, in upper case, and what came after it.

    Raises Misspoken.
    """
    stripped = line.removesuffix(b"\n").removesuffix(b"\r")
    if stripped.translate(None, _CONTROLS) != stripped:
        raise Misspoken(Reply(500, "5.2", "control characters in a command"))
    try:
        text = stripped.decode()
    except UnicodeDecodeError:
        raise Misspoken(Reply(500, "5.2", "a command is neither ASCII nor UTF-8")) from None
    verb, _, argument = text.partition(" ")
    if not verb or not verb.isascii():
        raise Misspoken(Reply(500, "5.2", "a command is expected"))
    verb = verb.upper()
    if len(line) > MAX_COMMAND_BYTES and verb != "AUTH":
        raise line_too_long()
    return verb, argument.strip(" ")


def line_too_long() -> Misspoken:
    """500 (RFC 5321 §4.2.3)."""
    return Misspoken(Reply(500, "5.2", "line too long"))


def parse_domain(argument: str) -> str:
    """The name that a client greets with: any word, for what it says is never trusted."""
    if not argument or not argument.isascii() or " " in argument or len(argument) > 255:
        raise syntax_error("a domain name or address literal is expected")
    return argument


def parse_mail(argument: str, *, extended: bool) -> Mail:
    """`FROM:<a@b> SIZE=1 …`. Raises Misspoken: 501 5.1.7 for the address itself."""
    if plain := plain_mailbox("FROM:", argument):
        return Mail(plain)
    text = _after("FROM:", argument)
    try:
        address, rest = split_path(text)
        found = _parameters(rest, _MAIL_PARAMETERS if extended else {})
        smtputf8 = "SMTPUTF8" in found
        if address:
            check_mailbox(address, smtputf8=smtputf8)
    except BadPath as error:
        raise syntax_error(f"malformed sender: {error}", "1.7") from None
    size = found.get("SIZE")
    body = found.get("BODY")
    return Mail(
        address=address,
        size_bytes=None if size is None else int(size),
        body=None if body is None else body.upper(),
        smtputf8=smtputf8,
        ret=found.get("RET"),
        envid=found.get("ENVID"),
    )


def parse_rcpt(argument: str, *, extended: bool, smtputf8: bool) -> Recipient:
    """`TO:<a@b> NOTIFY=… ORCPT=…`. Raises Misspoken: 501 5.1.3 for the address itself.

    `<postmaster>` needs no domain (RFC 5321 §4.1.1.3); the next hop has to know it too.
    """
    if plain := plain_mailbox("TO:", argument):
        return Recipient(plain)
    text = _after("TO:", argument)
    try:
        address, rest = split_path(text)
        if address.lower() != _POSTMASTER:
            check_mailbox(address, smtputf8=smtputf8)
    except BadPath as error:
        raise syntax_error(f"malformed recipient: {error}", "1.3") from None
    found = _parameters(rest, _RCPT_PARAMETERS if extended else {})
    return Recipient(address, found.get("NOTIFY"), found.get("ORCPT"))


def _after(keyword: str, argument: str) -> str:
    if argument[: len(keyword)].upper() != keyword:
        raise syntax_error(f"{keyword}<address> is expected")
    return argument[len(keyword) :].lstrip(" ")


def _parameters(text: str, known: Mapping[str, Callable[[str], bool]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in text.split():
        keyword, equals, value = word.partition("=")
        keyword = _upper(keyword)
        if keyword not in known:
            raise Misspoken(Reply(555, "5.4", "parameter not recognized or not implemented"))
        if keyword in found:
            raise syntax_error(f"{keyword} given twice")
        if bool(equals) != bool(value) or not known[keyword](value):
            raise syntax_error(f"{keyword} has a wrong value")
        found[keyword] = value
    return found


def _upper(text: str) -> str:
    """A keyword in upper case; ſ, whose upper case is S, makes none (RFC 5321 §2.4)."""
    return text.upper() if text.isascii() else ""


def _is_size(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) <= 20


def _is_xtext(value: str, most: int) -> bool:
    """RFC 3461 §4."""
    if not 0 < len(value) <= most or not value.isascii() or "=" in value:
        return False
    escapes = value.split("+")[1:]
    return all(len(text) >= 2 and set(text[:2]) <= _HEX for text in escapes)


def _is_orcpt(value: str) -> bool:
    kind, semicolon, address = value.partition(";")
    if kind.lower() == "utf-8":
        return len(address) <= 500 and _UTF8_ADDRESS.fullmatch(address) is not None
    is_name = kind.replace("-", "").isalnum() and kind.isascii()
    return bool(semicolon) and is_name and _is_xtext(address, 500)


def _is_notify(value: str) -> bool:
    words = _upper(value).split(",")
    wanted = {"SUCCESS", "FAILURE", "DELAY"}
    return words == ["NEVER"] or (set(words) <= wanted and len(set(words)) == len(words))


_MAIL_PARAMETERS: Final[dict[str, Callable[[str], bool]]] = {
    "SIZE": _is_size,
    "BODY": lambda value: _upper(value) in {"7BIT", "8BITMIME"},
    "SMTPUTF8": lambda value: not value,
    "RET": lambda value: _upper(value) in {"FULL", "HDRS"},
    "ENVID": lambda value: _is_xtext(value, 100),
    # RFC 4954 §5: whom a trusted client says it speaks for; nobody is trusted with that here.
    "AUTH": lambda value: value == "<>" or _is_xtext(value, 500),
}
_RCPT_PARAMETERS: Final[dict[str, Callable[[str], bool]]] = {
    "NOTIFY": _is_notify,
    "ORCPT": _is_orcpt,
}
