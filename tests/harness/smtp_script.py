"""What a scripted SMTP server does instead of answering as it should.

An `Act` says what happens at one verb; `Script` decides which act is due. Verbs are those of
SMTP, and CONNECT (the greeting), BODY (in the middle of the content), DOT (the final dot) and
AUTHDATA (a line of an AUTH dialogue). Knows nothing of sockets.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from enum import StrEnum


class Then(StrEnum):
    """What follows the reply of an act."""

    GO_ON = "go on"
    CLOSE = "close"
    RESET = "reset"
    STALL = "stall"
    HALF_CLOSE = "half-close"


@dataclass(frozen=True, slots=True)
class Act:
    """`reply` goes out as it is; None is the usual reply, b"" is no reply at all.

    `early` is sent just before the verb is carried out. `after_bytes` is for BODY: how much
    of the content is read first. `times` is how often the act happens; None is always.
    `matching` is looked for in the command line. `take` overrides whether a DOT act puts
    the message into the ledger (else: unless the reply is a 4xx or 5xx).
    """

    reply: bytes | None = None
    then: Then = Then.GO_ON
    delay_s: float = 0.0
    split: bool = False
    after_bytes: int = 1
    times: int | None = None
    matching: bytes = b""
    take: bool | None = None

    def once(self) -> Act:
        """The same act, the first time only."""
        return replace(self, times=1)

    def at(self, matching: bytes) -> Act:
        """The same act, only for command lines that hold `matching`."""
        return replace(self, matching=matching)

    @property
    def refuses(self) -> bool:
        """Whether the reply is a 4xx or 5xx."""
        return self.reply is not None and self.reply[:1] in {b"4", b"5"}

    @property
    def takes(self) -> bool:
        """Whether the server holds itself responsible for the message after this DOT."""
        return not self.refuses if self.take is None else self.take


def refuse(reply: str, *, close: bool = False) -> Act:
    """Answer `reply`, such as "550 5.1.1 no such user"; and close, as after a 421."""
    return Act(reply.encode() + b"\r\n", Then.CLOSE if close else Then.GO_ON)


def reset() -> Act:
    """A TCP reset instead of a reply."""
    return Act(b"", Then.RESET)


def close() -> Act:
    """An orderly close instead of a reply."""
    return Act(b"", Then.CLOSE)


def stall() -> Act:
    """No reply, ever; the connection stays open."""
    return Act(b"", Then.STALL)


def half_close() -> Act:
    """The end of the stream instead of a reply; what the client sends is still read."""
    return Act(b"", Then.HALF_CLOSE)


def garbage(what: bytes = b"\x00\xffhello, I am not SMTP\r\n") -> Act:
    """Bytes that are no reply."""
    return Act(what)


def flood(size_bytes: int = 64 * 1024) -> Act:
    """A 250 of many lines, `size_bytes` and a little in all."""
    line = b"250-" + b"x" * 500 + b"\r\n"
    return Act(line * (size_bytes // len(line) + 1) + b"250 end\r\n")


def endless_line(size_bytes: int = 64 * 1024) -> Act:
    """A reply line that does not end."""
    return Act(b"250 " + b"x" * size_bytes, Then.STALL)


def late(delay_s: float) -> Act:
    """The usual reply, `delay_s` later."""
    return Act(delay_s=delay_s)


def split() -> Act:
    """The usual reply, byte by byte."""
    return Act(split=True)


def doubled(reply: str) -> Act:
    """`reply` and, in the same breath, one more 250 that nothing asked for."""
    return Act(reply.encode() + b"\r\n250 2.0.0 too early\r\n")


class Script:
    """The acts by verb. The first that matches and has not been used up is due."""

    def __init__(self) -> None:
        self._acts: dict[str, list[Act]] = defaultdict(list)

    def add(self, verb: str, *acts: Act) -> None:
        """After those already there."""
        self._acts[verb.upper()].extend(acts)

    def clear(self) -> None:
        """From now on everything is as it should be."""
        self._acts.clear()

    def due(self, verb: str, line: bytes = b"") -> Act:
        """The act for this occurrence of `verb`, which uses it up once."""
        acts = self._acts[verb]
        for number, act in enumerate(acts):
            if act.matching in line:
                if act.times is not None:
                    acts[number] = replace(act, times=act.times - 1)
                    acts[:] = [left for left in acts if left.times != 0]
                return act
        return Act()
