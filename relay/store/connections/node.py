"""One server of a store: whether it is there, how many talk to it, what it has to be taught.

Owns a pool of connections and the gate before it. Knows nothing of who is master and which
keys live where; whoever made it does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, Final

from redis.exceptions import NoScriptError, ReadOnlyError, ResponseError

from relay.store.calls import OF_MAIL
from relay.store.commands import Command, Word, script
from relay.store.connections.durability import Acks, tells_of_desertion
from relay.store.connections.gate import Gate, Shut
from relay.store.connections.pool import Pool, Restarted
from relay.store.connections.turns import Turns

CONNECTIONS: Final = 32
"""Most conversations at once; others wait. More would not make one server any faster.

What a server that freezes has heard of and not answered stays charged: no more than this.
"""

_WORDS_OF: Final = attrgetter("words")
_ASKING: Final[tuple[Word, ...]] = ("ASKING",)


_Saying = Callable[..., Awaitable[list[Any]]]
"""`say_unproven`, or the like."""


class Node:
    """A server, reached over `pool`; `prove` raises unless it is there and ours."""

    def __init__(
        self, pool: Pool, prove: Callable[[Node], Awaitable[None]], acks: Acks | None = None
    ) -> None:
        self.gate = Gate(partial(prove, self))
        self._pool = pool
        self._acks = acks or Acks(0, 0)
        self._turns = Turns(CONNECTIONS)

    async def say(
        self, commands: Sequence[Command[Any]], until: float, *, asking: bool = False
    ) -> list[Any]:
        """Say all of `commands`, each at most once, when the server is proven there.

        One answer each; an error that it answered stands in the list. After anything else,
        which is raised, and after READONLY, or where its replicas are gone, it has to be proven
        again. With `asking`, each is said as one who was redirected by ASK.
        """
        try:
            talk = None if asking else self._begun(commands, until)
            if talk is None:
                async with asyncio.timeout_at(until):
                    answers = await self._in_turn(self.say_unproven, commands, asking=asking)
            else:
                try:
                    answers = await talk
                finally:
                    self._turns.leave()
            for answer in answers:
                if isinstance(answer, ResponseError):
                    return await self._minded(commands, answers, until, is_quick=talk is not None)
        except Shut:
            raise
        except Exception:
            await self.lost()
            raise
        return answers

    def says_at_once(self) -> bool:
        """Whether what is said now goes out in the next turn of the loop, and is not held up."""
        return self._turns.free > 0 and self.gate.is_open and not self._acks.count

    async def say_unproven(
        self, commands: Sequence[Command[Any]], *, asking: bool = False
    ) -> list[Any]:
        """As `say`, without asking whether the server is there. Needs a deadline."""
        answers = await self._converse(commands, asking=asking)
        unknown = [n for n, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:  # a script that the server does not know has not been run
            again = await self._teach_and_say([commands[n] for n in unknown], asking=asking)
            for n, answer in zip(unknown, again, strict=True):
                answers[n] = answer
        return answers

    async def lost(self) -> None:
        """Trust no connection to it, and prove it before the next call."""
        self.gate.shut()
        self._pool.hang_up()

    async def move_to(self, pool: Pool) -> None:
        """Talk over `pool` from now on. Conversations under way end where they began."""
        old, self._pool = self._pool, pool
        await old.close()

    async def close(self) -> None:
        """Close every connection; those in use when their conversation ends."""
        await self._pool.close()

    def _begun(
        self, commands: Sequence[Command[Any]], until: float
    ) -> asyncio.Future[list[Any]] | None:
        """The answers to come, where nothing has to be waited for but them: nearly always."""
        if not self.says_at_once():
            return None
        talk = self._pool.begin([*map(_WORDS_OF, commands)], until)
        if talk is not None:
            self._turns.free -= 1
        return talk

    async def _minded(
        self, commands: Sequence[Command[Any]], answers: list[Any], until: float, *, is_quick: bool
    ) -> list[Any]:
        """`answers`, with errors among them, and what they mean for the server as a whole."""
        unknown = [n for n, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown and is_quick:  # else it was taught already
            async with asyncio.timeout_at(until):
                said = [commands[n] for n in unknown]
                again = await self._in_turn(self._teach_and_say, said, asking=False)
            for n, answer in zip(unknown, again, strict=True):
                answers[n] = answer
        if any(isinstance(answer, ReadOnlyError) for answer in answers):
            await self.lost()
            # A replica answers whatever only reads, so it is proven there, and asked in vain,
            # over a new connection for every message.
            self.gate.shut_for_a_while("it takes no writes")
        if any(tells_of_desertion(answer) for answer in answers):
            self.gate.shut()
        return answers

    async def _in_turn(
        self, say: _Saying, commands: Sequence[Command[Any]], *, asking: bool
    ) -> list[Any]:
        """Say `commands` when the server is there and a conversation is free.

        It may be found away while one waits; then it has to be proven again.
        """
        while True:
            await self.gate.passed()
            await self._turns.take()
            try:
                if self.gate.is_open:
                    return await say(commands, asking=asking)
            except Restarted:
                await self.lost()
            finally:
                self._turns.leave()

    async def _teach_and_say(self, commands: Sequence[Command[Any]], *, asking: bool) -> list[Any]:
        texts = {command.script.text for command in commands if command.script}
        texts |= {script(*names).text for names in OF_MAIL}
        loads = [("SCRIPT", "LOAD", text) for text in sorted(texts)]
        return await self._converse(commands, loads, asking=asking)

    async def _converse(
        self,
        commands: Sequence[Command[Any]],
        loads: Sequence[tuple[Word, ...]] = (),
        *,
        asking: bool,
    ) -> list[Any]:
        waiting = self._acks.wanted_by(commands)
        said = [command.words for command in commands]
        if asking:
            said = [words for one in said for words in (_ASKING, one)]
        answers = await self._pool.converse([*loads, *said, *waiting])
        found = answers[len(loads) : len(loads) + len(said)]
        found = found[1::2] if asking else found
        return self._acks.judged(commands, found, answers[-1]) if waiting else found
