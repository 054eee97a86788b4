"""The content of a message: where it ends, its dots, its size, its line ends.

Bytes in, bytes out, no sockets. Content ends with CRLF "." CRLF and with nothing else
(RFC 5321 §4.1.1.4); every other spelling that has been taken for an end of data ("SMTP
smuggling", 2023) is content, and is then refused for its bare CR or LF.
"""

from __future__ import annotations

from io import IncrementalNewlineDecoder
from typing import Final

from relay.core.errors import BareNewline, MessageTooBig, NoMemory
from relay.core.mail.dots import first_dot_line
from relay.edge.memory import Memory

END_OF_DATA: Final = b"\r\n.\r\n"
_CRLF: Final = b"\r\n"
_DOT_LINE_BYTES: Final = len(b".\r\n")
_CARRIED_BYTES: Final = len(END_OF_DATA) - 1


class Overrun(Exception):
    """The client went on far beyond the limit: not worth being read to its end."""


class Content:
    """Collects one message of at most `limit_bytes`, piece by piece, in `memory`: until `drop`.

    Everything that takes time is done with each piece as it comes, so that a large message
    holds nobody up at its end: there, its pieces are only joined.
    """

    def __init__(self, limit_bytes: int, memory: Memory) -> None:
        self.limit_bytes = limit_bytes
        self._memory = memory
        self._held_bytes = 0
        self._has_found_room = True
        # Stuffed dots are not part of the message: at worst every line of 3 bytes has one.
        self._kept_bytes = limit_bytes + limit_bytes // 3 + _DOT_LINE_BYTES
        self._pieces: list[bytes] = []
        self._size_bytes = 0
        self._seam = _CRLF  # the end of the DATA command stands before an empty message's dot
        self._has_bare_newline = False
        self._is_without_dot = False  # the line of the final dot has been cut off
        self._dot_line = -1  # where it first has one, in the data at hand

    def feed(self, data: bytes) -> bytes | None:
        """Take `data` in: None while the end has not come, else what came after it.

        Raises Overrun beyond twice the limit.
        """
        end = self._find_end(data)
        if end is None:
            self._take(data)
        elif end < _DOT_LINE_BYTES:
            self._take(data[:end])
        else:
            self._is_without_dot = True
            self._take(data[: end - _DOT_LINE_BYTES])
        if self._size_bytes > 2 * self.limit_bytes + _DOT_LINE_BYTES:
            raise Overrun
        return None if end is None else data[end:]

    def _find_end(self, data: bytes) -> int | None:
        across = (self._seam + data[:_CARRIED_BYTES]).find(END_OF_DATA)
        if across >= 0:
            self._dot_line = first_dot_line(data[:_CARRIED_BYTES])
            return across + len(END_OF_DATA) - len(self._seam)
        dot_line = self._dot_line = first_dot_line(data)
        within = data.find(END_OF_DATA, max(0, dot_line - 1)) if dot_line >= 0 else -1
        return within + len(END_OF_DATA) if within >= 0 else None

    def _take(self, piece: bytes) -> None:
        self._size_bytes += len(piece)
        if self._is_kept(len(piece)):
            before = self._seam[-2:]
            self._has_bare_newline = self._has_bare_newline or has_bare_newline(piece, before)
            has_dot_line = 0 <= self._dot_line < len(piece) - 1
            self._pieces.append(unstuffed(piece, before, has_dot_line=has_dot_line))
        else:
            self.drop()
        self._seam = (self._seam + piece[-_CARRIED_BYTES:])[-_CARRIED_BYTES:]

    def _is_kept(self, more_bytes: int) -> bool:
        if self._size_bytes > self._kept_bytes or not self._has_found_room:
            return False
        self._has_found_room = self._memory.take(more_bytes, self._held_bytes)
        if self._has_found_room:
            self._held_bytes += more_bytes
        return self._has_found_room

    def drop(self) -> None:
        """Nothing of it is wanted any more."""
        self._pieces.clear()
        self._memory.give_back(self._held_bytes)
        self._held_bytes = 0

    def message(self) -> bytes:
        """The message, its dots unstuffed. Raises MessageTooBig, NoMemory or BareNewline."""
        if self._size_bytes > self._kept_bytes:
            raise MessageTooBig(self.limit_bytes)
        if not self._has_found_room:
            raise NoMemory
        if not self._is_without_dot:
            self._drop_last_line_end()
        content = b"".join(self._pieces)
        self._pieces.clear()
        if len(content) > self.limit_bytes:
            raise MessageTooBig(self.limit_bytes)
        if self._has_bare_newline:
            raise BareNewline
        return content

    def _drop_last_line_end(self) -> None:
        """The last line is that of the dot, which is gone already."""
        surplus = len(_CRLF)
        while surplus:
            last = self._pieces.pop()
            if len(last) > surplus:
                self._pieces.append(last[:-surplus])
            surplus -= min(surplus, len(last))


def unstuffed(piece: bytes, before: bytes = _CRLF, *, has_dot_line: bool = True) -> bytes:
    """`piece` without the dot that every line with a leading dot was given (§4.5.2).

    `before` are the two bytes before it: a line can begin at, or one byte after, the cut.
    `has_dot_line`: a line that begins in it may have one.
    """
    if before == _CRLF and piece.startswith(b"."):
        piece = piece[1:]
    elif before.endswith(b"\r") and piece.startswith(b"\n."):
        piece = b"\n" + piece[2:]
    return piece.replace(b"\r\n.", _CRLF) if has_dot_line else piece


def has_bare_newline(piece: bytes, before: bytes = _CRLF) -> bool:
    """Whether there is a CR or LF outside of CRLF (RFC 5321 §2.3.8).

    `before` is what stands before it. A CR at the very end is judged with the next piece.
    """
    if before.endswith(b"\r"):
        if not piece.startswith(b"\n"):
            return bool(piece)
        piece = piece[1:]
    # The standard library's decoder notes which line ends it has seen: in one look at the piece,
    # and in a quarter of the time that it takes to count them. Each byte is one character here.
    lines = IncrementalNewlineDecoder(None, translate=False)
    lines.decode(piece.decode("latin-1"))
    return lines.newlines not in {None, "\r\n"}
