"""The content of a message: where it ends, its dots, its size, its line ends.

Bytes in, bytes out, no sockets. Content ends with CRLF "." CRLF and with nothing else
(RFC 5321 §4.1.1.4); every other spelling that has been taken for an end of data ("SMTP
smuggling", 2023) is content, and is then refused for its bare CR or LF.
"""

from __future__ import annotations

from typing import Final

from relay.core.errors import BareNewline, MessageTooBig

END_OF_DATA: Final = b"\r\n.\r\n"
_DOT_LINE_BYTES: Final = len(b".\r\n")
_CARRIED_BYTES: Final = len(END_OF_DATA) - 1


class Overrun(Exception):
    """The client went on far beyond the limit: not worth being read to its end."""


class Content:
    """Collects one message of at most `limit_bytes`. Linear in time; the body is copied once."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        # Stuffed dots are not part of the message: at worst every line of 3 bytes has one.
        self._kept_bytes = limit_bytes + limit_bytes // 3 + _DOT_LINE_BYTES
        self._chunks: list[bytes] = []
        self._size_bytes = 0
        self._seam = b"\r\n"  # the end of the DATA command stands before an empty message's dot

    def feed(self, data: bytes) -> bytes | None:
        """Take `data` in: None while the end has not come, else what came after it.

        Raises Overrun beyond twice the limit.
        """
        end = self._find_end(data)
        taken = data if end is None else data[:end]
        self._size_bytes += len(taken)
        self._seam = (self._seam + taken[-_CARRIED_BYTES:])[-_CARRIED_BYTES:]
        if self._size_bytes <= self._kept_bytes:
            self._chunks.append(taken)
        else:
            self._chunks.clear()
        if self._size_bytes > 2 * self._limit_bytes + _DOT_LINE_BYTES:
            raise Overrun
        return None if end is None else data[end:]

    def _find_end(self, data: bytes) -> int | None:
        across = (self._seam + data[:_CARRIED_BYTES]).find(END_OF_DATA)
        if across >= 0:
            return across + len(END_OF_DATA) - len(self._seam)
        within = data.find(END_OF_DATA)
        return within + len(END_OF_DATA) if within >= 0 else None

    def message(self) -> bytes:
        """The message, its dots unstuffed. Raises MessageTooBig or BareNewline."""
        if self._size_bytes > self._kept_bytes:
            raise MessageTooBig(self._limit_bytes)
        self._drop_dot_line()
        content = unstuffed(b"".join(self._chunks))
        self._chunks.clear()
        if len(content) > self._limit_bytes:
            raise MessageTooBig(self._limit_bytes)
        if has_bare_newline(content):
            raise BareNewline
        return content

    def _drop_dot_line(self) -> None:
        surplus = _DOT_LINE_BYTES
        while surplus:
            last = self._chunks.pop()
            if len(last) > surplus:
                self._chunks.append(last[:-surplus])
            surplus -= min(surplus, len(last))


def unstuffed(content: bytes) -> bytes:
    """`content` without the dot that every line with a leading dot was given (§4.5.2)."""
    content = content.removeprefix(b".")
    return content.replace(b"\r\n.", b"\r\n")


def has_bare_newline(content: bytes) -> bool:
    """Whether there is a CR or LF outside of CRLF (RFC 5321 §2.3.8)."""
    pairs = content.count(b"\r\n")
    return content.count(b"\n") != pairs or content.count(b"\r") != pairs
