"""From the JSON of an email to an envelope and a message with CRLF lines; of a raw one: `raw.py`.

Composing is the standard library's; what is checked here is what it would let pass: addresses
that are not plain, headers that are the relay's or the structure's own business.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as BadBase64
from collections.abc import Iterable, Sequence
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from typing import Final

from relay.core.domain import normalize_domain
from relay.core.mail.message import Envelope, Recipient
from relay.web.api.folding import LONGEST_LINE, AsItIs
from relay.web.api.problems import Problem
from relay.web.api.schemas import PARAMETER, Addresses, Attachment, Email

_SEVEN_BIT: Final = AsItIs(linesep="\r\n", cte_type="7bit")  # not every upstream has 8BITMIME
_NAMED: Final = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^"<>@]*?))\s*<([^<>\s]+)>\s*\Z')
_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_MOST_LOCAL: Final = 64
_HEADER: Final = re.compile(r"[!-9;-~]{1,76}\Z")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_MOST_VALUE: Final = 10_000
_MOST_OF_ALL: Final = 100_000
"""Characters of all `headers`, and of all addresses shown: MTAs take no header much longer.

The library takes up to 50 microseconds of CPU for each.
"""

_OWN: Final = frozenset({"from", "to", "cc", "bcc", "subject", "reply-to", "sender", "date"})
_TRACE: Final = frozenset({"mime-version", "received", "return-path"})
_OWN_PREFIXES: Final = ("content-", "x-warmup-", "dkim-", "arc-", "resent-")


def composed(email: Email) -> tuple[Envelope, bytes]:
    """The message that `email` describes. Raises Problem (422)."""
    _check_length([*_texts(email.to), *_texts(email.cc), *_texts(email.reply_to)])
    sender = _addresses(email.from_, "from")[0]
    to, cc, bcc = (
        _addresses(each, name)
        for each, name in ((email.to, "to"), (email.cc, "cc"), (email.bcc, "bcc"))
    )
    message = EmailMessage(policy=_SEVEN_BIT)
    _set(message, "From", sender, "from")
    for name, found in (
        ("To", to),
        ("Cc", cc),
        ("Reply-To", _addresses(email.reply_to, "reply_to")),
    ):
        if found:
            _set(message, name, found, name.lower())
    _set(message, "Subject", _line(email.subject, "subject"), "subject")
    _add_headers(message, email)
    _add_content(message, email)
    envelope = envelope_of(sender.addr_spec, [each.addr_spec for each in (*to, *cc, *bcc)])
    return envelope, _written(message)


def _written(message: EmailMessage) -> bytes:
    """The message as bytes; in its header are the fields that were set, and no more."""
    try:
        content = message.as_bytes()
    except Exception as error:  # as its parsers
        raise Problem(422, "the message cannot be composed") from error
    lines = content.partition(b"\r\n\r\n")[0].split(b"\r\n")
    names = sum(not line.startswith((b" ", b"\t")) for line in lines)
    if names != len(message.keys()) or max(map(len, lines)) > LONGEST_LINE:
        raise Problem(422, "the header of the message cannot be written")
    return content


def envelope_of(sender: str, recipients: Iterable[str]) -> Envelope:
    """Each recipient once. Raises Problem (422) where there is none."""
    everybody = tuple(Recipient(address) for address in dict.fromkeys(recipients))
    if not everybody:
        raise Problem(422, "there is no recipient")
    return Envelope(sender, everybody)


def _check_length(shown: Sequence[str]) -> None:
    if sum(map(len, shown)) > _MOST_OF_ALL:
        raise Problem(422, f"to, cc, reply_to: more than {_MOST_OF_ALL} characters together")


def _texts(given: Addresses | None) -> Sequence[str]:
    return [given] if isinstance(given, str) else given or []


def _addresses(given: Addresses | None, name: str) -> list[HeaderAddress]:
    return [_address(text, name) for text in _texts(given)]


def _address(text: str, name: str) -> HeaderAddress:
    found = _NAMED.match(text)
    plain = plain_address(found[3] if found else text, name)
    display = (re.sub(r"\\(.)", r"\1", found[1]) if found[1] else found[2] or "") if found else ""
    return HeaderAddress(_decoded(_line(display, name), name), addr_spec=plain)


def _decoded(display: str, name: str) -> str:
    """`display` without encoded words: the library would write a line end that is in one."""
    if "=?" not in display:
        return display
    try:
        text = _line(str(make_header(decode_header(display))), name)
    except (HeaderParseError, ValueError, LookupError) as error:
        raise Problem(422, f"{name}: an encoded word cannot be read") from error
    if "=?" in text:
        raise Problem(422, f"{name}: there is an encoded word within an encoded word")
    return text


def plain_address(text: str, name: str) -> str:
    """`user@domain`, the domain as A-labels. Raises Problem (422)."""
    local, _, domain = text.strip().rpartition("@")
    if len(local) > _MOST_LOCAL or not _LOCAL.fullmatch(local):
        raise Problem(422, f'{name}: "{_shown(text)}" is not user@domain or Name <user@domain>')
    try:
        return f"{local}@{normalize_domain(domain)}"
    except ValueError as error:
        raise Problem(422, f"{name}: {error}") from error


def _line(text: str, name: str) -> str:
    if _CONTROL.search(text):
        raise Problem(422, f"{name}: there is a control character in it")
    return text


def _set(
    message: EmailMessage, name: str, value: str | HeaderAddress | list[HeaderAddress], told: str
) -> None:
    """Set a field. The library reads encoded words (RFC 2047), and writes what is in them.

    So a line end may be in one, which would end the field.
    """
    try:
        message[name] = value
        written = str(message[name])
    except Exception as error:  # its parsers trip in many ways
        raise Problem(422, f"{told}: it cannot be written") from error
    _line(written, told)


def _shown(text: str) -> str:
    return text[:100].encode("ascii", "replace").decode()


def _add_headers(message: EmailMessage, email: Email) -> None:
    if email.mail_class is not None:
        message["X-Warmup-Class"] = email.mail_class.value
    if sum(len(name) + len(value) for name, value in email.headers.items()) > _MOST_OF_ALL:
        raise Problem(422, f"headers: they have more than {_MOST_OF_ALL} characters together")
    for name, value in email.headers.items():
        low = name.lower()
        if not _HEADER.match(name) or low in _OWN | _TRACE or low.startswith(_OWN_PREFIXES):
            raise Problem(422, f'headers: "{_shown(name)}" cannot be set here')
        if len(value) > _MOST_VALUE:
            raise Problem(422, f"headers: {name} is longer than {_MOST_VALUE} characters")
        _set(message, name, _line(value, f"headers: {name}"), f"headers: {name}")


def _add_content(message: EmailMessage, email: Email) -> None:
    try:
        message.set_content(email.text if email.text is not None else "")
        if email.html is not None and email.text is not None:
            message.add_alternative(email.html, subtype="html")
        elif email.html is not None:
            message.set_content(email.html, subtype="html")
        for attachment in email.attachments:
            _attach(message, attachment)
    except (ValueError, LookupError) as error:
        raise Problem(422, f"the message cannot be composed: {error}") from error


def _attach(message: EmailMessage, attachment: Attachment) -> None:
    try:
        content = b64decode("".join(attachment.content.split()), validate=True)  # in lines too
    except (BadBase64, ValueError) as error:
        told = f"attachments: {_shown(attachment.filename)} is no base64"
        raise Problem(422, told) from error
    media, *_ = attachment.content_type.lower().split(";")
    kind, _, subtype = media.strip().partition("/")
    parameters = re.findall(PARAMETER, attachment.content_type)
    if kind in {"multipart", "message"}:
        kind, subtype, parameters = "application", "octet-stream", []  # it can be no structure
    inline = attachment.content_id
    message.add_attachment(
        content,
        kind,
        subtype,
        filename=attachment.filename,
        disposition="inline" if inline else "attachment",
        cid=f"<{inline}>" if inline else None,
        params={name.lower(): plain or quoted for name, plain, quoted in parameters},
    )
