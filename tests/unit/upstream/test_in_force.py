"""What clients are offered, by what the upstreams in force were last seen to offer."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from relay.concurrency.background import Background
from relay.core.config import MaildirUpstream
from relay.upstream.in_force import Upstreams


def upstreams(*offers: set[str] | None) -> Upstreams:
    """As many as there are `offers`; None stands for one that was never reached."""
    names = {f"u{number}": offered for number, offered in enumerate(offers)}
    found = Upstreams(lambda config: _upstream(names[config.name]))
    configs = {name: MaildirUpstream(name, Path(name)) for name in names}
    found.follow(configs, Background())
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
