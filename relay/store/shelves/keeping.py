"""What HTTP keeps in the store for a while: answers by Idempotency-Key, and rates.

Strings with an expiry and a slot of their own; losing one costs a repeated answer or a few
requests more, never quota.
"""

from __future__ import annotations

import json
import time
from base64 import b64decode, b64encode
from typing import Any, Final

from relay.ports.web import Keeping, KeptAnswer
from relay.store import keys
from relay.store.commands import Command, as_is, evalsha, script
from relay.store.connections.line import Line

KEPT_MS: Final = 86_400_000
_MINUTE_US: Final = 60_000_000


class RedisAnswers:
    """`ports.web.Answers` over `line`."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def begin(self, key: str, digest: str) -> KeptAnswer | Keeping | None:
        """See `ports.web.Answers`. One command; the server needs to be Redis 7 or Valkey."""
        words = ("SET", keys.answer(key), _text_of(digest), "NX", "GET", "PX", KEPT_MS)
        text = await self._line.ask(Command("claim key", words, as_is))
        if text is None:
            return None
        told = json.loads(text)
        if told["digest"] != digest:
            return Keeping.OTHER_REQUEST
        if "status" not in told:
            return Keeping.UNDER_WAY
        return KeptAnswer(told["status"], told["type"], b64decode(told["body"]))

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


def _text_of(digest: str, answer: KeptAnswer | None = None) -> str:
    told: dict[str, Any] = {"digest": digest}
    if answer is not None:
        body = b64encode(answer.body).decode()
        told |= {"status": answer.status, "type": answer.content_type, "body": body}
    return json.dumps(told)
