"""What shows that a client has heard an answer: a command that came in after it was written."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from relay.concurrency.background import Background
from relay.core.reply import Reply
from relay.edge.hearing import Hearing
from relay.edge.intake import Intake
from relay.ports.relay import Accepted

RECEIPT: Any = "receipt"


async def test_a_command_that_was_pipelined_before_the_answer_shows_nothing():
    heard = []

    async def note(receipt):
        heard.append(receipt)

    async def taken(_submission, _soon):
        return Accepted(Reply(250, "0.0", "Ok"), RECEIPT)

    async def next_line():
        await intake.line(100)
        hearing.line_came()
        await hearing.told()

    intake = Intake(lambda _is_open: None)
    gone = asyncio.get_running_loop().create_future()
    hearing = Hearing(SimpleNamespace(heard=note), Background(), intake, gone)
    intake.feed(b"NOOP\r\n")
    await hearing.hand_over(None, taken, lambda _accepted: None)
    await next_line()
    assert heard == []

    intake.feed(b"QUIT\r\n")
    await next_line()
    assert heard == [RECEIPT]
