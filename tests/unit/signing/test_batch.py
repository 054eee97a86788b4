from __future__ import annotations

import asyncio

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from relay.signing.batch import WORTH, Batch
from relay.signing.keys import SigningKey
from relay.signing.multibuffer import LANES, WrongSignature, open_multibuffer

KEY = SigningKey(generate_private_key(65537, 2048))
LONGER = SigningKey(generate_private_key(65537, 3072))
SMALL = SigningKey(Ed25519PrivateKey.generate())


class Recorder:
    """Signs nothing, and knows which of them came together."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: list[list[bytes]] = []
        self.error = error

    def sign(self, keys, data):
        self.asked.append(list(data))
        if self.error:
            raise self.error
        return [b"made with the others" for _ in keys]


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def batch(recorder):
    return Batch(recorder, others=lambda: 1)


def texts(count):
    return [b"%d" % at for at in range(count)]


async def signed(batch, data, key=KEY):
    return await asyncio.gather(*(batch.sign(key, one) for one in data))


async def test_those_of_one_turn_are_signed_together(batch, recorder):
    assert set(await signed(batch, texts(LANES))) == {b"made with the others"}
    assert recorder.asked == [texts(LANES)]


async def test_more_than_go_at_once_are_signed_in_turns(batch, recorder):
    await signed(batch, texts(2 * LANES + WORTH))
    assert [len(one) for one in recorder.asked] == [LANES, LANES, WORTH]


async def test_between_two_turns_the_loop_does_what_else_there_is(batch, recorder):
    seen = []
    signing = asyncio.gather(*(batch.sign(KEY, one) for one in texts(2 * LANES)))
    while not signing.done():
        seen.append(len(recorder.asked))
        await asyncio.sleep(0)
    assert 1 in seen


async def test_too_few_sign_each_alone(batch, recorder):
    data = texts(WORTH - 1)
    assert await signed(batch, data) == [KEY.sign(one) for one in data]
    assert recorder.asked == []


async def test_who_is_alone_waits_for_no_turn(recorder):
    signing = Batch(recorder).sign(KEY, b"x")
    with pytest.raises(StopIteration) as ended:
        signing.send(None)
    assert ended.value.value == KEY.sign(b"x")


async def test_the_last_of_a_crowd_signs_with_it(recorder):
    left = iter([3, 2, 1, 0])
    await signed(Batch(recorder, others=lambda: next(left, 0)), texts(4))
    assert recorder.asked == [texts(4)]


@pytest.mark.parametrize("key", [LONGER, SMALL])
async def test_a_key_of_another_kind_signs_alone(batch, recorder, key):
    data = texts(LANES)
    made = await signed(batch, data, key)
    for one, signature in zip(data, made, strict=True):
        assert signature == key.sign(one)
    assert recorder.asked == []


async def test_without_the_library_each_signs_alone():
    data = texts(LANES)
    made = await signed(Batch(None, others=lambda: 1), data)
    assert made == [KEY.sign(one) for one in data]


async def test_one_that_is_cancelled_is_not_signed_and_holds_up_nobody(batch, recorder):
    tasks = [asyncio.ensure_future(batch.sign(KEY, one)) for one in texts(6)]
    await asyncio.sleep(0)
    tasks[2].cancel()
    made = await asyncio.gather(*tasks, return_exceptions=True)
    assert recorder.asked == [[b"0", b"1", b"3", b"4", b"5"]]
    assert isinstance(made[2], asyncio.CancelledError)
    assert {*made[:2], *made[3:]} == {b"made with the others"}


async def test_after_a_wrong_signature_everyone_signs_alone():
    failing, data = Recorder(WrongSignature()), texts(LANES)
    batch = Batch(failing, others=lambda: 1)
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            assert await signed(batch, data) == [KEY.sign(one) for one in data]
    assert len(failing.asked) == 1
    assert [line["log_level"] for line in logs] == ["error"]


async def test_each_hears_of_an_error_and_the_next_ones_are_signed(recorder):
    recorder.error = RuntimeError("no")
    batch = Batch(recorder, others=lambda: 1)
    tasks = (batch.sign(KEY, one) for one in texts(WORTH))
    made = await asyncio.gather(*tasks, return_exceptions=True)
    assert [repr(one) for one in made] == ["RuntimeError('no')"] * WORTH
    recorder.error = None
    assert set(await signed(batch, texts(WORTH))) == {b"made with the others"}


async def test_with_the_library_the_signatures_are_those_of_the_key():
    data = texts(3 * LANES + 1)
    made = await signed(Batch(open_multibuffer(), others=lambda: 1), data)
    assert made == [KEY.sign(one) for one in data]
