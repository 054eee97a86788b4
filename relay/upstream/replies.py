"""Reading SMTP replies: bytes in, replies out (RFC 5321 §4.2).

Does no I/O and keeps no more than one unfinished reply, of bounded size. Lenient where it is
safe to be: a line may end in a bare LF, and the text may hold any bytes.
"""

from __future__ import annotations

import re
from collections.abc import MutableSequence
from functools import lru_cache
from typing import Final

from relay.core.reply import Reply, parse_reply

MAX_LINE_BYTES: Final = 8 * 1024
MAX_REPLY_BYTES: Final = 64 * 1024

_LINE: Final = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)


class BadReply(Exception):
    """What came is no SMTP reply; nothing that follows can be trusted either."""


@lru_cache(maxsize=64)  # to MAIL, RCPT and DATA an upstream says the same every time
def _whole_reply(line: bytes) -> Reply | None:
    """The reply that is this one line; None where it is not that simple."""
    found = _LINE.fullmatch(line.removesuffix(b"\r")) if len(line) <= MAX_LINE_BYTES else None
    if not found or found[2] == b"-":
        return None
    return parse_reply(int(found[1]), (found[3] or b"").decode("utf-8", "replace"))


class ReplyParser:
    """Feed it what was received; it tells of each reply once its last line is complete.

    `is_between_replies` is True unless a reply has begun and not ended.
    """

    def __init__(self) -> None:
        self.is_between_replies = True
        self._unfinished = b""
        self._code = 0
        self._texts: list[str] = []
        self._reply_bytes = 0

    def feed(self, data: bytes, found: MutableSequence[Reply]) -> None:
        """Add the replies that `data` completes to `found`, in order.

        Raises BadReply after the valid replies that came before the trouble; the parser is of
        no use from then on.
        """
        *lines, self._unfinished = (self._unfinished + data).split(b"\n")
        for line in lines:
            if not self._texts and (whole := _whole_reply(line)):
                found.append(whole)
            elif self._take(line):
                found.append(parse_reply(self._code, "\n".join(self._texts)))
                self._texts, self._reply_bytes = [], 0
        if len(self._unfinished) > MAX_LINE_BYTES:
            raise BadReply(f"a reply line of more than {MAX_LINE_BYTES} bytes")
        self.is_between_replies = not self._unfinished and not self._texts

    def _take(self, line: bytes) -> bool:
        """Add one line; True if it is the last one of its reply."""
        if len(line) > MAX_LINE_BYTES:
            raise BadReply(f"a reply line of more than {MAX_LINE_BYTES} bytes")
        found = _LINE.fullmatch(line.removesuffix(b"\r"))
        if not found:
            raise BadReply(f"not an SMTP reply: {line[:20]!r}")
        code = int(found[1])
        if self._texts and code != self._code:
            raise BadReply(f"a reply that begins with {self._code} goes on with {code}")
        self._reply_bytes += len(line)
        if self._reply_bytes > MAX_REPLY_BYTES:
            raise BadReply(f"a reply of more than {MAX_REPLY_BYTES} bytes")
        self._code = code
        self._texts.append((found[3] or b"").decode("utf-8", "replace"))
        return found[2] != b"-"
