"""An error on its way from the process that syncs to those who asked it."""

from __future__ import annotations

import errno

import pytest

from relay.syncing.wire import FINE, MOST_BYTES, answer, error_in


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "the disk of the store is full"),
        OSError(errno.EIO, "Input/output error"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "/somewhere"),
        TimeoutError(errno.ETIMEDOUT, "timed out"),
    ],
)
def test_an_error_arrives_as_what_it_was(error):
    arrived = error_in(answer(error))
    assert type(arrived) is type(error)
    assert (arrived.errno, arrived.strerror) == (error.errno, error.strerror)


def test_what_went_well_is_no_error():
    assert error_in(answer(None)) is None
    assert answer(None) == FINE


def test_a_deadline_without_a_number_is_still_a_deadline():
    arrived = error_in(answer(TimeoutError("timed out")))
    assert isinstance(arrived, TimeoutError)
    assert "timed out" in str(arrived)


def test_an_error_without_a_number_is_never_taken_for_success():
    assert error_in(answer(OSError("odd"))).errno == errno.EIO
    assert error_in(answer(OSError())).errno == errno.EIO


def test_an_answer_is_one_line_of_bounded_length():
    told = answer(OSError(errno.EIO, "a\nb\r\n" + "ü" * 1000))
    assert told.count(b"\n") == 1
    assert told.endswith(b"\n")
    assert len(told) <= MOST_BYTES
    assert error_in(told).strerror.startswith("a b ü")


@pytest.mark.parametrize(
    "line", [b"", b"\n", b"0", b"0\n", b"ok\n", b"-5 x\n", b"0 x\n", b"\xff\n"]
)
def test_whatever_else_is_said_is_an_error(line):
    assert error_in(line).errno == errno.EPROTO
