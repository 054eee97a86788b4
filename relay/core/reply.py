"""One SMTP reply, as RFC 5321 §4.2 and RFC 2034 shape it.

Owns the shape of a reply and the check that its enhanced code is of the reply's own
class. Which reply answers which error is in `errors.py`.
"""

from __future__ import annotations

import re

from relay.core.values import value

_ENHANCED = re.compile(r"^([245])\.(\d{1,3})\.(\d{1,3})\b(?!\.\d) ?")  # and no IP address
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")
MAX_LINE_BYTES = 512
"""A reply line with its code and CRLF (RFC 5321 §4.5.3.1.5)."""


@value(frozen=True, slots=True)
class Reply:
    """A reply to the SMTP client.

    `code` is the basic code (200-599). `detail` is the subject and detail of the
    enhanced code, such as "7.1"; its class digit is always that of `code`. `text` may
    hold several lines, split by a line feed.
    """

    code: int
    detail: str | None
    text: str

    @property
    def enhanced(self) -> str | None:
        """The whole enhanced status code, "4.7.1", or None where the reply has none."""
        return f"{self.code // 100}.{self.detail}" if self.detail else None

    @property
    def is_success(self) -> bool:
        """True for 2xx."""
        return self.code // 100 == 2

    def lines(self) -> list[str]:
        """The reply as it goes over the wire, without the line ends.

        Control and non-ASCII characters become "?", so that a text from outside can
        never add a line of its own; a line too long for RFC 5321 is cut.
        """
        head = f"{self.code // 100}.{self.detail} " if self.detail else ""
        room = MAX_LINE_BYTES - 2 - 4 - len(head)
        if self.text.isascii() and self.text.isprintable():  # nearly always: one line, and clean
            return [f"{self.code} {head}{self.text[:room]}".rstrip()]
        texts = [_UNPRINTABLE.sub("?", part) for part in self.text.splitlines()] or [""]
        last = len(texts) - 1
        return [
            f"{self.code}{' ' if number == last else '-'}{head}{text[:room]}".rstrip()
            for number, text in enumerate(texts)
        ]

    def __str__(self) -> str:
        return " ".join(self.lines())


def parse_reply(code: int, text: str) -> Reply:
    """The reply that an upstream gave: `code`, and `text` without the codes' column.

    An enhanced code is taken from the first line that has one (and dropped from all of them);
    one whose class contradicts the basic code is corrected to it.
    """
    lines = text.splitlines() or [""]
    found = next(filter(None, map(_ENHANCED.match, lines)), None)
    if not found:
        return Reply(code, None, "\n".join(lines))
    detail = f"{found[2]}.{found[3]}"
    return Reply(code, detail, "\n".join(_ENHANCED.sub("", line, count=1) for line in lines))
