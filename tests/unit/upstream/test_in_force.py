"""The upstreams in force: what they let clients be offered, and what a reload does to them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from relay.core.config import MaildirUpstream
from relay.upstream.build import open_upstream
from relay.upstream.in_force import Upstreams
from tests.harness.smtp_sink import Offers, Sink
from tests.harness.waiting import until
from tests.unit.upstream.given import Counting, smtp_config


def upstreams(*offers: set[str] | None) -> Upstreams:
    """As many as there are `offers`; None stands for one that was never reached."""
    names = {f"u{number}": offered for number, offered in enumerate(offers)}
    found = Upstreams(lambda config: _upstream(names[config.name]))
    configs = {name: MaildirUpstream(name, Path(name)) for name in names}
    found.follow(configs)
    return found


def _upstream(offers: set[str] | None) -> Any:
    return SimpleNamespace(offers=offers)


ALL = {"8BITMIME", "SMTPUTF8", "DSN"}


@pytest.mark.parametrize(
    ("offers", "passed_on"),
    [
        ([ALL], ALL),
        ([set()], set()),
        ([None], {"8BITMIME", "SMTPUTF8"}),
        ([ALL, None], {"8BITMIME", "SMTPUTF8"}),
        ([ALL, set()], set()),
        ([{"8BITMIME"}], {"8BITMIME", "SMTPUTF8"}),
        ([{"SMTPUTF8"}], set()),
        ([ALL, {"8BITMIME", "DSN"}], ALL),
        ([ALL, {"8BITMIME"}, None], {"8BITMIME", "SMTPUTF8"}),
    ],
)
def test_an_extension_is_passed_on_where_that_does_no_harm(offers, passed_on):
    assert {extension for extension in ALL if upstreams(*offers).may_offer(extension)} == passed_on


async def test_what_a_reload_brings_is_asked_at_once_what_it_lacks():
    """A client that is offered 8BITMIME sends mail in 8 bits, which is then refused for good."""
    async with Sink(Offers(eightbitmime=False)) as sink:
        before = smtp_config(sink.port)
        found = Upstreams(lambda config: open_upstream(config, "relay.example.net", Counting()))
        found.follow({before.name: before})
        await found.probe()
        assert not found.may_offer("8BITMIME")

        found.follow({before.name: replace(before, idle_s=before.idle_s + 1)})
        await asyncio.to_thread(until, lambda: not found.may_offer("8BITMIME"), "the probe")
        await found.close()


class Closing:
    """An upstream that only notes its end."""

    def __init__(self, config: MaildirUpstream) -> None:
        self.config = config
        self.closed_count = 0

    async def probe(self) -> None:
        """Answers."""

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.closed_count += 1


async def test_one_that_was_replaced_is_closed_with_the_others_and_not_waited_for():
    opened: list[Any] = []

    def opener(config: Any) -> Any:
        opened.append(Closing(config))
        return opened[-1]

    found = Upstreams(opener)
    found.follow({"u": MaildirUpstream("u", Path("before"))})
    found.follow({"u": MaildirUpstream("u", Path("after"))})
    assert [each.closed_count for each in opened] == [0, 0], "what is under way on it may end"

    async with asyncio.timeout(5):
        await found.close()
    assert [each.closed_count for each in opened] == [1, 1]


async def test_where_one_cannot_be_opened_all_stay_as_they_are():
    opened: list[Any] = []

    def opener(config: Any) -> Any:
        if config.path.name == "bad":
            raise OSError("no such file")
        opened.append(Closing(config))
        return opened[-1]

    found = Upstreams(opener)
    good = {name: MaildirUpstream(name, Path(name)) for name in ("kept", "changed")}
    found.follow(good)
    with pytest.raises(OSError, match="no such file"):
        found.follow({"changed": MaildirUpstream("changed", Path("bad"))})
    assert dict(found) == dict(zip(good, opened, strict=True))

    found.follow({"changed": MaildirUpstream("changed", Path("mended"))})
    assert dict(found) == {"changed": opened[-1]}
    await found.close()
    assert [each.closed_count for each in opened] == [1, 1, 1]
