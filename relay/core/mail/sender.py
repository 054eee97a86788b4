"""Whom a message says it is from: the From field by RFC 5322 §3.4, RFC 6532 and RFC 6854.

The domains found here decide what a tenant may send and whose quota is charged (rule 4), so
whatever two parsers could read differently is refused: several From fields, white space inside
a domain, an unquoted "@" in a display name, source routes, domain literals, control characters.
Groups, comments, quoted strings, folding and UTF-8 addresses are understood. Encoded words
(RFC 2047) stand in display names only, which are read over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from relay.core.domain import is_own_form, normalize_domain
from relay.core.errors import BadSender
from relay.core.mail.header import Field

MAX_VALUE_BYTES: Final = 16_384
"""A longer From value is refused, so that nothing takes long."""

_KNOWN_BYTES: Final = 256

_DOT_ATOM, _QUOTED, _SPECIAL = 1, 2, 3
_ATEXT: Final = rb"[!#-'*+\-/0-9=?A-Z^-~\x80-\xff]++"
_TOKEN: Final = re.compile(
    rb"""[ \t]++|(%b(?:\.%b)*+)|("(?:[^"\\]|\\.)*+")|([.@,:;<>])""" % (_ATEXT, _ATEXT)
)
_IN_COMMENT: Final = re.compile(rb"(?:[^()\\]|\\.)*+")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_FOLD: Final = re.compile(rb"\r\n(?=[ \t])")
_UNCLEAR: Final = (
    'it is not clear where an address ends; write "Display Name" <user@domain>, '
    "the name in double quotes"
)


@dataclass(frozen=True, slots=True)
class Sender:
    """The addresses of the From field in order, and their domains, each once, in that order.

    Domains are lower case A-labels; the first one is whose quota is charged.
    """

    addresses: tuple[str, ...]
    domains: tuple[str, ...]


class _Token(NamedTuple):
    """`gap`: white space or a comment stands before it."""

    kind: int
    text: bytes
    gap: bool


def parse_from(fields: Sequence[Field]) -> Sender:
    """The sender of a message with these fields. Raises BadSender, and nothing else.

    Several addresses need exactly one Sender field naming exactly one (RFC 5322 §3.6.2).
    """
    value = _only(fields, "From")
    sender = _known_sender(value) if len(value) <= _KNOWN_BYTES else _sender(value)
    if len(sender.addresses) > 1 and len(_addresses_in(_only(fields, "Sender"), "Sender")) > 1:
        raise BadSender("the Sender field names more than one address (RFC 5322 3.6.2)")
    return sender


def _sender(value: bytes) -> Sender:
    addresses = _addresses_in(value, "From")
    domains = dict.fromkeys([_domain(address) for address in addresses])
    return Sender(tuple(addresses), tuple(domains))


_known_sender = lru_cache(maxsize=1024)(_sender)
"""Of a short value: that of one mail is nearly always that of many."""


def _only(fields: Iterable[Field], name: str) -> bytes:
    wanted = name.lower().encode()
    values = [field.value for field in fields if field.name == wanted]
    if len(values) == 1:
        return values[0]
    if values:
        raise BadSender(f"{len(values)} {name} fields; there must be exactly one (RFC 5322 3.6)")
    if name == "Sender":
        raise BadSender("a From field with several addresses needs a Sender field (RFC 5322 3.6.2)")
    raise BadSender("no From field; it decides the domain that the message is sent from")


def _addresses_in(value: bytes, name: str) -> list[str]:
    addresses = _Reader(_tokens(value, name), name).addresses()
    if not addresses:
        raise BadSender(f"the {name} field names no address")
    return addresses


def _domain(address: str) -> str:
    text = address.rpartition("@")[2]
    try:
        name = normalize_domain(text)
    except ValueError:
        name = ""
    if not name or not is_own_form(text, name):
        raise BadSender(f'the From field has "{text[:80]}", which is no domain name')
    return name


def _tokens(value: bytes, name: str) -> list[_Token]:
    text = _FOLD.sub(b"", value) if b"\r" in value else value
    if len(text) > MAX_VALUE_BYTES:
        raise BadSender(f"the {name} field is longer than {MAX_VALUE_BYTES} bytes")
    if _CONTROL.search(text):
        raise BadSender(f"the {name} field has a control character in it")
    found: list[_Token] = []
    at, end, gap = 0, len(text), False
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            at, gap = _after_comment(text, at, name), True
        elif match.lastindex is None:
            at, gap = match.end(), True
        else:
            found.append(_Token(match.lastindex, match[0], gap))
            at, gap = match.end(), False
    return found


def _after_comment(text: bytes, at: int, name: str) -> int:
    """Where the comment that opens at `at` ends. Comments nest (RFC 5322 §3.2.2)."""
    if not text.startswith(b"(", at):
        raise _bad_character(text, at, name)
    depth, end = 0, len(text)
    while at < end:
        if text[at] == 0x28:
            depth += 1
        elif text[at] == 0x29:
            depth -= 1
        else:
            break
        at += 1
        if depth == 0:
            return at
        inner = _IN_COMMENT.match(text, at)
        at = inner.end() if inner else at
    raise BadSender(f"the {name} field has a comment that does not end")


def _bad_character(text: bytes, at: int, name: str) -> BadSender:
    character = text[at : at + 1].decode("ascii", "replace")
    if character == "[":
        return BadSender(f"the {name} field has an address literal; it needs a domain name")
    if character == '"':
        return BadSender(f"the {name} field has a quoted string that does not end")
    return BadSender(f"the {name} field has {character} where none may be")


class _Reader:
    """Reads an address list (RFC 5322 §3.4) off its tokens, once."""

    def __init__(self, tokens: list[_Token], name: str) -> None:
        self._tokens = tokens
        self._at = 0
        self._name = name

    def addresses(self) -> list[str]:
        """Every mailbox, those inside groups too. Empty list elements are read over."""
        found: list[str] = []
        in_group = False
        while True:
            words = self._words()
            mark = self._next()
            if mark in (b"@", b"<"):
                found.append(self._mailbox(words, mark))
                mark = self._next()
            elif mark == b":" and words and not in_group:
                in_group = True
                continue
            elif words:
                raise self._bad(f"{_shown(words)} is no address")
            if mark == b";" and in_group:
                in_group = False
                mark = self._next()
            if mark is None and not in_group:
                return found
            if mark != b",":
                raise self._bad(_UNCLEAR)

    def _mailbox(self, words: list[_Token], mark: bytes) -> str:
        """The address after `mark`; `words` are its local part, or a display name."""
        if mark == b"@":
            return self._address(words)
        local = self._words()
        if self._next() != b"@":
            raise self._bad("there is no plain user@domain between < and >")
        address = self._address(local)
        if self._next() != b">":
            raise self._bad("the address after < does not end in >")
        return address

    def _address(self, local: list[_Token]) -> str:
        domain = self._words()
        if not _is_dotted(local) or not _is_dotted(domain):
            raise self._bad(_UNCLEAR)
        if len(domain) > 1 or domain[0].kind != _DOT_ATOM:
            raise self._bad("a domain cannot be quoted")
        text = b"".join([*(t.text for t in local), b"@", *(t.text for t in domain)])
        try:
            address = text.decode()
        except UnicodeDecodeError:
            raise self._bad("the address is not UTF-8") from None
        if not address.isprintable():
            raise self._bad("the address has an unprintable character in it")
        return address

    def _words(self) -> list[_Token]:
        start, tokens = self._at, self._tokens
        at, end = start, len(tokens)
        while at < end and (tokens[at].kind != _SPECIAL or tokens[at].text == b"."):
            at += 1
        self._at = at
        return tokens[start:at]

    def _next(self) -> bytes | None:
        """The text of the next token, None at the end."""
        if self._at >= len(self._tokens):
            return None
        self._at += 1
        return self._tokens[self._at - 1].text

    def _bad(self, why: str) -> BadSender:
        return BadSender(f"the {self._name} field cannot be parsed: {why}")


def _is_dotted(words: list[_Token]) -> bool:
    """Whether `words` are words with single dots between them, and no gap inside."""
    if len(words) == 1:
        return words[0].kind != _SPECIAL
    if len(words) % 2 == 0 or any(token.gap for token in words[1:]):
        return False
    return all((token.text == b".") == (at % 2 == 1) for at, token in enumerate(words))


def _shown(words: list[_Token]) -> str:
    return b" ".join(token.text for token in words)[:60].decode("ascii", "replace")
