"""The scripted SMTP upstream, for tests that are not themselves asynchronous.

`SinkProcess` runs it in a process of its own, for load. `SinkThread` runs it beside the test,
which can change its script while it serves. Both tell what they took in the same way.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from tests.harness.ports import free_port, is_listening
from tests.harness.processes import Child
from tests.harness.smtp_ledger import entries
from tests.harness.smtp_script import Act, Script
from tests.harness.smtp_sink import Offers, Sink
from tests.harness.waiting import until

ROOT = Path(__file__).parents[2]


class SinkProcess:
    """Takes everything, unless `acts` ("DOT=delay:0.05") say otherwise; notes it in a file."""

    def __init__(self, home: Path, *acts: str, host: str = "127.0.0.1") -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.host, self.port = host, free_port()
        self._ledger = home / "ledger.jsonl"
        command = [sys.executable, "-m", "tests.harness.smtp_sink", "--port", str(self.port)]
        command += ["--host", host, "--ledger", str(self._ledger)]
        for act in acts:
            command += ["--act", act]
        self._child = Child(command, home / "sink.log", cwd=ROOT)
        until(
            lambda: is_listening(self.port, host), "the upstream to listen", detail=self._child.tail
        )

    @property
    def url(self) -> str:
        """For `upstreams:` in relay.yaml."""
        return f"smtp://{self.host}:{self.port}"

    def message_ids(self) -> list[str]:
        """The Message-IDs of everything taken, in order, without angle brackets."""
        return [str(entry["message_id"]).strip("<>") for entry in entries(self._ledger)]

    def recipients(self) -> list[str]:
        """The recipients of everything taken, in order."""
        return [str(name) for entry in entries(self._ledger) for name in entry["rcpts"]]

    def end(self) -> None:
        """For finalizers."""
        self._child.end()


class SinkThread:
    """A sink whose `script` the test may change at any time."""

    def __init__(self, offers: Offers | None = None, **options: Any) -> None:
        self.sink = Sink(offers or Offers(), **options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._run(self.sink.start(port=free_port()))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.sink.port

    @property
    def url(self) -> str:
        """For `upstreams:` in relay.yaml."""
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def script(self) -> Script:
        """What it does instead of answering as it should."""
        return self.sink.script

    def once(self, verb: str, act: Act) -> None:
        """Do `act` at the next `verb` only."""
        self.script.add(verb, act.once())

    def contents(self) -> list[bytes]:
        """The content of everything taken, in order."""
        return [message.content for message in self.sink.messages]

    def message_ids(self) -> list[str]:
        """The Message-IDs of everything taken, in order, without angle brackets."""
        return [(message.message_id or "").strip("<>") for message in self.sink.messages]

    def drop(self) -> None:
        """Drop every connection, and go on listening."""
        self._run(self.sink.drop())

    def end(self) -> None:
        """For finalizers, and for tests in which the upstream goes away; twice does no harm."""
        if self._loop.is_closed():
            return
        self._run(self.sink.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()
