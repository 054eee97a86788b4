"""The header section of a message, as bytes.

Owns where the header section ends and where each field in it begins and ends (RFC 5322 §2.2,
§3.6.8, with the obsolete white space before the colon of §4.5). Nothing is decoded or changed,
so the fields in order, joined, are the section again.

One message must have one reading: a section that parsers would cut at different places is
refused whole, never repaired. Work and memory are linear in the section, which is bounded.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from relay.core.errors import BadMessage, BareNewline

MAX_HEADER_BYTES: Final = 1_048_576
"""A longer header section is refused."""
MAX_FIELDS: Final = 10_000
"""A header section with more fields is refused."""

_FIELD: Final = re.compile(rb"([!-9;-~]++)[ \t]*+:([^\r\n]*+(?:\r\n[ \t][^\r\n]*+)*+)\r\n")
_BARE: Final = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_SHOWN_BYTES: Final = 40


class Field(NamedTuple):
    """One header field: `header[start:end]`, its CRLF included.

    `name` is in lower case; `value` is everything after the colon, folds and all, without
    the final CRLF. A named tuple, because a header makes dozens of them for every message.
    """

    name: bytes
    value: bytes
    start: int
    end: int


_new: Final = tuple.__new__
"""What `Field(...)` comes to, without the call of a function for each."""


def split_message(content: bytes) -> tuple[bytes, memoryview]:
    """The header section of `content`, and a view of all that follows it.

    The view begins with the CRLF of the empty line. Without an empty line all of `content`
    is header section and the view is empty; a message that begins with the empty line has
    an empty header section. Raises BadMessage for a section over MAX_HEADER_BYTES.
    """
    if content.startswith(b"\r\n"):
        return b"", memoryview(content)
    empty_line = content.find(b"\r\n\r\n", 0, MAX_HEADER_BYTES + 2)
    end = empty_line + 2 if empty_line >= 0 else len(content)
    if end > MAX_HEADER_BYTES:
        raise BadMessage(f"the header section is longer than {MAX_HEADER_BYTES} bytes")
    return content[:end], memoryview(content)[end:]


def parse_fields(header: bytes) -> tuple[Field, ...]:
    """The fields of a header section (without the empty line), in order.

    Raises BadMessage, naming the line, where something is not a field or the continuation of
    one; BareNewline for a CR or LF alone.
    """
    fields: list[Field] = []
    at, end = 0, len(header)
    while at < end:
        found = _FIELD.match(header, at)
        if not found:
            raise _not_a_field(header, at)
        start, at = at, found.end()
        fields.append(_new(Field, (found[1].lower(), found[2], start, at)))
        if len(fields) > MAX_FIELDS:
            raise BadMessage(f"more than {MAX_FIELDS} header fields")
    return tuple(fields)


def unfolded(value: bytes) -> bytes:
    """A field value without its line breaks and outer white space (RFC 5322 §2.2.3)."""
    return value.replace(b"\r\n", b"").strip(b" \t")


def _not_a_field(header: bytes, at: int) -> BadMessage | BareNewline:
    if _BARE.search(header, at):
        return BareNewline()
    line_end = header.find(b"\r\n", at)
    line = header[at:line_end] if line_end >= 0 else header[at:]
    number = header.count(b"\r\n", 0, at) + 1
    shown = line[:_SHOWN_BYTES].decode("ascii", "replace")
    return BadMessage(
        f'line {number} of the message is not a header field: "{shown}"; '
        f"a header line is Name: value, and an empty line ends the header"
    )
