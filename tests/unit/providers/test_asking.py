"""Questions in the background: bounded, once each, and never lost without a word."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from relay.concurrency.background import Background
from relay.core.providers import MxFinding, MxKind
from relay.providers.asking import Asking

ANSWER = MxFinding(MxKind.NULL)


class Questions:
    """Every question waits until it is let go."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go = asyncio.Event()

    async def __call__(self, domain: str) -> MxFinding:
        self.asked.append(domain)
        await self.go.wait()
        return ANSWER


def asking(at_once: int = 2, most_waiting: int = 3) -> tuple[Asking, Questions, Background]:
    questions, background = Questions(), Background()
    return Asking(questions, background, at_once, most_waiting), questions, background


async def test_questions_are_asked_in_order_and_so_many_at_once():
    ask, questions, background = asking()
    assert [ask.want(domain) for domain in "abc"] == [True] * 3
    await asyncio.sleep(0)
    assert questions.asked == ["a", "b"]
    questions.go.set()
    await background.drain(1)
    assert questions.asked == ["a", "b", "c"]
    assert (len(ask), len(background)) == (0, 0)


async def test_what_is_too_much_is_turned_away_and_told_once():
    ask, questions, background = asking()
    with capture_logs() as logs:
        assert [ask.want(domain) for domain in "abcdef"] == [True, True, True, False, False, False]
    assert [(log["event"], log["waiting"]) for log in logs] == [
        ("providers.too_many_unknown_domains", 3)
    ]
    questions.go.set()
    await background.drain(1)
    assert ask.want("d")
    await background.drain(1)
    assert questions.asked == ["a", "b", "c", "d"]


async def test_one_that_is_asked_at_once_is_not_asked_again_from_the_queue():
    ask, questions, background = asking(at_once=1)
    for domain in "ab":
        ask.want(domain)
    await asyncio.sleep(0)
    now = asyncio.ensure_future(ask.at_once("b"))
    await asyncio.sleep(0)
    assert questions.asked == ["a", "b"]
    assert ask.want("b")
    questions.go.set()
    assert await now == ANSWER
    await background.drain(1)
    assert questions.asked == ["a", "b"]


async def test_after_closing_nothing_is_asked_and_nothing_is_said():
    ask, questions, background = asking()
    ask.want("a")
    ask.close()
    with capture_logs() as logs:
        assert not ask.want("b")
    await background.drain(1)
    assert (questions.asked, logs) == ([], [])


async def test_a_question_that_fails_against_its_promise_does_not_end_the_asking():
    async def broken(domain: str) -> MxFinding:
        if domain == "bad":
            raise RuntimeError("a bug")
        return ANSWER

    background = Background()
    ask = Asking(broken, background, 1, 10)
    ask.want("bad")
    await background.drain(1)
    assert ask.want("good")
    await background.drain(1)
    assert len(ask) == 0
