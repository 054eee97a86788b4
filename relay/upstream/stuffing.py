"""The message as DATA carries it: dots stuffed, in pieces, the final dot at the end.

Only one piece exists at a time, so that a large message is never in memory twice. Lines are
taken to end in CRLF (`core.mail.message.Outgoing` promises it): no other dot is touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from relay.core.mail.dots import first_dot_line

PIECE_BYTES: Final = 256 * 1024
_CRLF: Final = b"\r\n"


def content(head: bytes, body: memoryview, piece_bytes: int = PIECE_BYTES) -> Iterator[bytes]:
    """Pieces of at most about `piece_bytes`, at least one (RFC 5321 §4.5.2).

    The final dot is in the last piece and in no other: before the last piece is written,
    nothing can have been taken.
    """
    if len(head) + len(body) > piece_bytes:
        return _in_pieces(head, body, piece_bytes)
    whole = b"".join((head, body))
    return iter((_stuffed(whole, _CRLF) + _end_behind((_CRLF + whole[-2:])[-2:]),))


def _in_pieces(head: bytes, body: memoryview, piece_bytes: int) -> Iterator[bytes]:
    edge, piece = _CRLF, b""
    for raw in _pieces(head, body, piece_bytes):
        if piece:
            yield piece
        piece = _stuffed(raw, edge)
        edge = (edge + raw[-2:])[-2:]
    yield piece + _end_behind(edge)


def _end_behind(edge: bytes) -> bytes:
    """The final dot, on a line of its own, behind content that ends in `edge`."""
    return b".\r\n" if edge == _CRLF else b"\r\n.\r\n"


def _pieces(head: bytes, body: memoryview, size: int) -> Iterator[bytes]:
    offset = len(head)
    for begin in range(0, offset + len(body), size):
        end = begin + size
        yield b"".join((head[begin:end], body[max(0, begin - offset) : max(0, end - offset)]))


def _stuffed(piece: bytes, edge: bytes) -> bytes:
    """`edge` is the two bytes before `piece`: a line can begin at, or one byte after, the cut."""
    stuffed = piece.replace(b"\r\n.", b"\r\n..") if first_dot_line(piece) >= 0 else piece
    if edge == _CRLF and piece.startswith(b"."):
        return b"." + stuffed
    if edge.endswith(b"\r") and piece.startswith(b"\n."):
        return b"\n." + stuffed[1:]
    return stuffed
