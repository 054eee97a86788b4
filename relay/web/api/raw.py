"""The envelope of a raw message, from what is given beside it or else from its header.

Which fields there are is read as the pipeline reads it, what is in them as the standard library
does.
"""

from __future__ import annotations

from collections.abc import Sequence
from email.policy import SMTP
from typing import Final

from relay.core.errors import RelayError
from relay.core.mail.header import Field, parse_fields, split_message
from relay.core.mail.message import Envelope
from relay.web.api.compose import envelope_of, plain_address
from relay.web.api.problems import Problem

_MOST_HEAD_BYTES: Final = 262_144
"""Of the header of a raw message: the library takes some 7 s of CPU for each MB of addresses."""


def received(content: bytes, mail_from: str | None, to: Sequence[str]) -> tuple[Envelope, bytes]:
    """A raw message, and the envelope from what is given or else from its header.

    A message without any CR gets CRLF line ends; else its bytes stay. Raises Problem (422).
    """
    content = content if b"\r" in content else content.replace(b"\n", b"\r\n")
    senders, named, has_bcc = _header_addresses(content)
    if has_bcc:
        raise Problem(422, "a Bcc field would be seen by all: name everybody with ?to= instead")
    if mail_from is None and not senders:
        raise Problem(422, "there is no address in the From field")
    sender = plain_address(mail_from if mail_from is not None else senders[0], "from")
    return envelope_of(sender, [plain_address(each, "to") for each in to or named]), content


def _header_addresses(content: bytes) -> tuple[list[str], list[str], bool]:
    """The addresses of From; of To and Cc; and whether there is a Bcc.

    The fields are those that the pipeline reads: the library's parser ends the header where there
    is white space before a colon (RFC 5322 §4.5), and would not see what follows.
    """
    try:
        head, _ = split_message(content)
        if len(head) > _MOST_HEAD_BYTES:
            told = f"the header of the message is longer than {_MOST_HEAD_BYTES} bytes"
            raise Problem(422, told)
        fields = parse_fields(head)
    except RelayError as error:
        raise Problem(422, str(error)) from error
    found = {
        name: [each for field in fields if field.name == name for each in _addresses_of(field)]
        for name in (b"from", b"to", b"cc")
    }
    has_bcc = any(field.name == b"bcc" for field in fields)
    return found[b"from"], found[b"to"] + found[b"cc"], has_bcc


def _addresses_of(field: Field) -> list[str]:
    text = field.value.decode("ascii", "surrogateescape")
    try:
        read = SMTP.header_fetch_parse(field.name.decode(), text)
        return [str(each.addr_spec) for each in read.addresses]
    except Exception as error:  # the parser of the standard library trips in many ways
        raise Problem(422, "the header of the message cannot be read") from error
