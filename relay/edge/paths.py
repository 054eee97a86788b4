"""Reverse-paths and forward-paths (RFC 5321 §4.1.2, RFC 6531 §3.3).

Addresses are passed on as they came, case and quoting included. More generous than the
grammar where real mailboxes are (a dot too many in the local part, an underscore in the
domain), for it is the next hop that knows them; never where a character could be taken for
something else than a part of the address.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from string import ascii_letters, digits
from typing import Final

from relay.core.reply import Reply
from relay.edge.replies import Misspoken

MAX_LOCAL_BYTES: Final = 256
"""RFC 5321 §4.5.3.1.1 says 64; return paths that encode a recipient are longer."""
MAX_DOMAIN_BYTES: Final = 255

_ATOM: Final = frozenset(ascii_letters + digits + "!#$%&'*+-/=?^_`{|}~.")
_LABEL: Final = frozenset(ascii_letters + digits + "-_")
_PLAIN_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.]+")
_PLAIN_DOMAIN: Final = re.compile(
    r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*"
    r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
)
"""What nearly every address is made of: such a one needs no closer look."""
_KNOWN_DOMAINS: Final = 4096


class BadPath(ValueError):
    """It is not a path; the text says why, for people."""


def plain_mailbox(keyword: str, argument: str) -> str | None:
    """The address of `FROM:<a@b>`, with no parameters behind it; None for what is not as plain.

    `keyword` is in upper case. What is plain needs none of the looks below.
    """
    begin = len(keyword) + 1
    if not argument.endswith(">") or argument[:begin].upper() != f"{keyword}<":
        return None
    address = argument[begin:-1]
    return address if _is_plain(address) else None


def _is_plain(address: str) -> bool:
    local, _, domain = address.rpartition("@")
    is_short = len(address) <= MAX_DOMAIN_BYTES
    return is_short and _PLAIN_LOCAL.fullmatch(local) is not None and _is_plain_domain(domain)


@lru_cache(maxsize=_KNOWN_DOMAINS)  # it takes longer to look at, and most mail goes to a few
def _is_plain_domain(domain: str) -> bool:
    return _PLAIN_DOMAIN.fullmatch(domain) is not None


def split_path(text: str) -> tuple[str, str]:
    """`<a@b> SIZE=1` → (`a@b`, `SIZE=1`); a source route is left out, as §4.1.1.3 allows.

    A path without brackets is taken up to the first space. Raises BadPath.
    """
    if not text.startswith("<"):
        path, _, rest = text.partition(" ")
        if not path or '"' in path or ">" in path:
            raise BadPath("an address in <> is expected")
        return path, rest
    end = _closing_bracket(text)
    path, rest = text[1:end], text[end + 1 :]
    if rest and not rest.startswith(" "):
        raise BadPath("a space is expected after >")
    return _without_route(path), rest


def _closing_bracket(text: str) -> int:
    end = _unquoted_bracket(text) if '"' in text else text.find(">")
    if end < 0:
        raise BadPath("> is missing")
    return end


def _unquoted_bracket(text: str) -> int:
    is_quoted = is_escaped = False
    for at, character in enumerate(text):
        if is_escaped:
            is_escaped = False
        elif is_quoted and character == "\\":
            is_escaped = True
        elif character == '"':
            is_quoted = not is_quoted
        elif character == ">" and not is_quoted:
            return at
    return -1


def _without_route(path: str) -> str:
    if not path.startswith("@"):
        return path
    route, colon, mailbox = path.partition(":")
    hops = route.split(",")
    if not colon or not all(hop.startswith("@") and _is_domain(hop[1:]) for hop in hops):
        raise BadPath("the source route is malformed")
    return mailbox


def check_mailbox(address: str, *, smtputf8: bool) -> None:
    """Raise BadPath unless `address` is a mailbox; 553 5.6.7 for UTF-8 that was not announced."""
    if _is_plain(address):
        return
    if not address.isascii() and not smtputf8:
        raise Misspoken(Reply(553, "6.7", "non-ASCII addresses need the SMTPUTF8 parameter"))
    local, at, domain = address.rpartition("@")
    if not at:
        raise BadPath("an address needs a domain")
    if len(local.encode()) > MAX_LOCAL_BYTES or not _is_local_part(local):
        raise BadPath("the local part is malformed")
    if len(domain.encode()) > MAX_DOMAIN_BYTES or not _is_domain(domain):
        raise BadPath("the domain is malformed")


def _is_local_part(text: str) -> bool:
    if len(text) > 2 and text.startswith('"') and text.endswith('"'):
        return _is_quoted_content(text[1:-1])
    return bool(text) and _is_made_of(_ATOM, text)


def _is_quoted_content(text: str) -> bool:
    is_escaped = False
    for character in text:
        if is_escaped:
            is_escaped = False
        elif character == "\\":
            is_escaped = True
        elif character == '"':
            return False
    return not is_escaped and text.isprintable()


def _is_domain(text: str) -> bool:
    if text.startswith("["):
        return text.endswith("]") and _is_address_literal(text[1:-1])
    return all(_is_label(label) for label in text.split("."))


def _is_label(text: str) -> bool:
    is_hyphen_outside = text.startswith("-") or text.endswith("-")
    return 0 < len(text) <= 63 and not is_hyphen_outside and _is_made_of(_LABEL, text)


def _is_made_of(ascii_allowed: frozenset[str], text: str) -> bool:
    """Only of `ascii_allowed`, and of printable characters beyond ASCII."""
    beyond = set(text) - ascii_allowed
    return all(character > "\x7f" and character.isprintable() for character in beyond)


def _is_address_literal(text: str) -> bool:
    tag, colon, address = text.partition(":")
    try:
        if colon and tag.lower() == "ipv6":
            return bool(IPv6Address(address))
        return bool(IPv4Address(text))
    except ValueError:
        return False
