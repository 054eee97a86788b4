"""A message is counted once, and before its client can hear that it was taken."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from relay.core.mail.message import Envelope
from relay.core.reply import Reply
from relay.ports.relay import Accepted
from relay.telemetry.measured import MeasuredRelay
from relay.telemetry.metrics import Metrics

SUBMISSION = SimpleNamespace(
    client=SimpleNamespace(tenant=SimpleNamespace(name="acme")),
    ref="r",
    envelope=Envelope("a@acme.example", ()),
    content=b"",
)
TAKEN = Accepted(Reply(250, "0.0", "Ok"), None)


class Inner:
    """Tells of its message early or not at all, and then may fail."""

    left = heard = unheard = None

    def __init__(self, *, is_early: bool, error: Exception | None = None) -> None:
        self._is_early = is_early
        self._error = error

    async def relay(self, _submission, taken=None):
        if self._is_early and taken:
            taken(TAKEN)
        if self._error:
            raise self._error
        return TAKEN

    def begin(self, *_):
        return SimpleNamespace(abort=None, finish=self.relay)


def counts(metrics: Metrics) -> dict[str, float]:
    found = re.findall(r'relay_messages_total{.*outcome="(\w+)".*} (\S+)', metrics.text().decode())
    return {outcome: float(count) for outcome, count in found if float(count)}


@pytest.mark.parametrize("is_early", [True, False])
@pytest.mark.parametrize("is_split", [True, False])
async def test_it_is_counted_once_and_before_it_is_told(is_early, is_split):
    metrics, seen = Metrics(), []
    relay = MeasuredRelay(Inner(is_early=is_early), metrics, addresses=False)

    def taken(_accepted: Accepted) -> None:
        seen.append(counts(metrics))

    if is_split:
        split = relay.begin(SUBMISSION.client, SUBMISSION.envelope, "r", "s")
        await split.finish(SUBMISSION, taken)
    else:
        await relay.relay(SUBMISSION, taken)
    assert seen == ([{"forwarded": 1}] if is_early else [])
    assert counts(metrics) == {"forwarded": 1}


async def test_what_fails_behind_its_answer_is_not_counted_again():
    metrics = Metrics()
    relay = MeasuredRelay(Inner(is_early=True, error=OSError("x")), metrics, addresses=False)
    with pytest.raises(OSError, match="x"):
        await relay.relay(SUBMISSION, lambda _: None)
    assert counts(metrics) == {"forwarded": 1}


async def test_what_is_not_told_early_is_counted_as_it_ends():
    metrics = Metrics()
    relay = MeasuredRelay(Inner(is_early=False, error=OSError("x")), metrics, addresses=False)
    with pytest.raises(OSError, match="x"):
        await relay.relay(SUBMISSION)
    assert counts(metrics) == {"failed": 1}
