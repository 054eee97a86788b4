"""How the header of a composed message is written: ASCII as it is, folded between words.

The library writes a word that is longer than a line as encoded words (RFC 2047). They mean nothing
in a List-Unsubscribe, an In-Reply-To or a References: its link is no link any more.
"""

from __future__ import annotations

import re
from email.headerregistry import UnstructuredHeader
from email.policy import EmailPolicy
from typing import Any, Final

LONGEST_LINE: Final = 998
"""RFC 5322 §2.1.1, without the line end."""

_LINE: Final = 78
_WORD: Final = re.compile(r" *[^ ]+")


class AsItIs(EmailPolicy):
    """The library's policy, but for the text of a field that can be written without encoding it."""

    def fold_binary(self, name: str, value: Any) -> bytes:
        """See `email.policy`."""
        text = str(value)
        words = _WORD.findall(f" {text}")
        longest = len(name) + 1 + max(map(len, words), default=0)
        is_plain = isinstance(value, UnstructuredHeader) and text.isascii() and "=?" not in text
        if not is_plain or longest > LONGEST_LINE:
            return super().fold_binary(name, value)
        return "".join(f"{line}\r\n" for line in _lines(f"{name}:", words)).encode()


def _lines(line: str, words: list[str]) -> list[str]:
    """`line` and the `words` behind it; the first one stays with the name of the field."""
    lines = [line + "".join(words[:1])]
    for word in words[1:]:
        if len(lines[-1]) + len(word) > _LINE:
            lines.append(word)
        else:
            lines[-1] += word
    return lines
