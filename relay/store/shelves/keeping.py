"""What HTTP keeps in the store for a while: answers by Idempotency-Key, and rates.

Strings with an expiry and a slot of their own; losing one costs a repeated answer or a few
requests more, never quota.
"""

from __future__ import annotations

import json
import time
from base64 import b64decode, b64encode
from secrets import token_hex
from typing import Any, Final

from relay.ports.web import Keeping, KeptAnswer
from relay.store import keys
from relay.store.commands import Command, as_is, evalsha, script
from relay.store.connections.line import Line

KEPT_MS: Final = 86_400_000
CLAIMED_MS: Final = 5_000
"""How long a claim stands that nobody has heard of: no longer than its client is told to wait."""

_MINUTE_US: Final = 60_000_000


class RedisAnswers:
    """`ports.web.Answers` over `line`."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def begin(self, key: str, digest: str) -> KeptAnswer | Keeping | None:
        """See `ports.web.Answers`. The server needs to be Redis 7 or Valkey.

        A claim stands for a moment, and for as long as an answer is kept once it was heard of:
        one whose reply was lost carries nothing out.
        """
        claim = _text_of(digest, by=token_hex(8))
        words = ("SET", keys.answer(key), claim, "NX", "GET", "PX", CLAIMED_MS)
        text = await self._line.ask(Command("claim key", words, as_is))
        if text is None:
            return None if await self._stands(key, claim) else Keeping.UNDER_WAY
        told = json.loads(text)
        if told["digest"] != digest:
            return Keeping.OTHER_REQUEST
        if "status" not in told:
            return Keeping.UNDER_WAY
        return KeptAnswer(told["status"], told["type"], b64decode(told["body"]))

    async def _stands(self, key: str, claim: str) -> bool:
        """Let `claim` stand; whether it still did. What somebody else has there stays theirs."""
        name = keys.answer(key)
        await self._line.insist(Command("keep claim", ("PEXPIRE", name, KEPT_MS), int))
        held = await self._line.insist(Command("read claim", ("GET", name), as_is))
        return bool(held == claim)

    async def keep(self, key: str, digest: str, answer: KeptAnswer) -> None:
        """See `ports.web.Answers`."""
        words = ("SET", keys.answer(key), _text_of(digest, answer), "PX", KEPT_MS)
        await self._line.insist(Command("keep answer", words, as_is))

    async def release(self, key: str) -> None:
        """See `ports.web.Answers`."""
        await self._line.insist(Command("release key", ("DEL", keys.answer(key)), int))


def metered(name: str, per_minute: int, burst: int) -> Command[float]:
    """`meter.lua`: one request of `name` is counted; 0.0, or the seconds until there is room.

    By the machine's clock: rates are of real time.
    """
    arguments = (time.time_ns() // 1000, _MINUTE_US // per_minute, burst)
    return evalsha("meter", script("meter"), (keys.meter(name),), arguments, _seconds)


def _seconds(microseconds: int) -> float:
    return microseconds / 1e6


def _text_of(digest: str, answer: KeptAnswer | None = None, by: str = "") -> str:
    told: dict[str, Any] = {"digest": digest, "by": by}
    if answer is not None:
        body = b64encode(answer.body).decode()
        told |= {"status": answer.status, "type": answer.content_type, "body": body}
    return json.dumps(told)
