from __future__ import annotations

from base64 import b64encode

import pytest

from relay.edge.auth import Login, delay_s, log_in
from relay.edge.replies import Misspoken


def b64(text: str | bytes) -> str:
    return b64encode(text if isinstance(text, bytes) else text.encode()).decode()


class Asked:
    def __init__(self, *responses: str) -> None:
        self.challenges: list[bytes] = []
        self.responses = [response.encode() for response in responses]

    async def __call__(self, challenge: bytes) -> bytes:
        self.challenges.append(challenge)
        return self.responses.pop(0)


async def test_plain_comes_with_or_without_an_initial_response():
    expected = Login("acme", "tökén")
    assert await log_in("plain " + b64("\0acme\0tökén"), Asked()) == expected
    asked = Asked(b64("\0acme\0tökén"))
    assert await log_in("PLAIN", asked) == expected
    assert asked.challenges == [b""]


async def test_login_comes_with_or_without_the_username():
    asked = Asked(b64("acme"), b64("token"))
    assert await log_in("LOGIN", asked) == Login("acme", "token")
    assert asked.challenges == [b"VXNlcm5hbWU6", b"UGFzc3dvcmQ6"]
    asked = Asked(b64("token"))
    assert await log_in("LOGIN " + b64("acme"), asked) == Login("acme", "token")
    assert asked.challenges == [b"UGFzc3dvcmQ6"]


async def test_acting_for_somebody_else_is_seen():
    assert (await log_in("PLAIN " + b64("acme\0acme\0t"), Asked())).is_for_itself
    assert not (await log_in("PLAIN " + b64("root\0acme\0t"), Asked())).is_for_itself


@pytest.mark.parametrize(
    ("argument", "responses", "reply"),
    [
        ("PLAIN", ["*"], "501 5.7.0"),
        ("LOGIN", ["*"], "501 5.7.0"),
        ("LOGIN", [b64("acme"), "*"], "501 5.7.0"),
        ("PLAIN !!!", [], "501 5.5.2"),
        ("PLAIN =", [], "501 5.5.2"),
        ("PLAIN " + b64("acme"), [], "501 5.5.2"),
        ("PLAIN " + b64("a\0b\0c\0d"), [], "501 5.5.2"),
        ("LOGIN", [b64("acme"), "ü"], "501 5.5.2"),
        ("CRAM-MD5", [], "504 5.5.4"),
        ("", [], "501 5.5.4"),
    ],
)
async def test_what_is_wrong_is_named(argument, responses, reply):
    with pytest.raises(Misspoken) as refused:
        await log_in(argument, Asked(*responses))
    assert str(refused.value.reply).startswith(reply)


def test_a_login_never_shows_its_token():
    assert "token" not in repr(Login("acme", "s3cret")).replace("token=", "")
    assert "s3cret" not in repr(Login("acme", "s3cret"))


def test_the_delay_grows_and_is_bounded():
    delays = [delay_s(failures) for failures in range(1, 12)]
    assert delays == sorted(delays)
    assert 0 < delays[0] < 0.5
    assert delays[-1] <= 5
