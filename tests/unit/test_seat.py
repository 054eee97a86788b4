"""What a worker has of the config: the same, save its share of the limits."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from relay.core.config import MaildirUpstream, Security, SmtpHost, SmtpUpstream
from relay.processes.quarters import Quarters
from relay.seat import Seat
from relay.settings.load import load_config

CONFIG = load_config(Path(__file__).parents[2] / "relay.example.yaml", os.environ)
UPSTREAM = SmtpUpstream("out", (SmtpHost("h", 25, Security.NONE),), connections=20)


def seat(count: int, store_url: str | None = None) -> Seat:
    return Seat(1, count, store_url, Path("/run/1.sock"), Path("/run"))


@pytest.mark.parametrize(("count", "share"), [(2, 10), (3, 7), (20, 1), (64, 1)])
def test_limits_are_divided_and_rounded_up(count: int, share: int) -> None:
    limits = replace(CONFIG.limits, connections=20, connections_per_address=20, memory_bytes=20)
    mine = seat(count).config(replace(CONFIG, limits=limits))
    assert (mine.limits.connections, mine.limits.connections_per_address) == (share, share)
    assert mine.limits.memory_bytes == share
    assert seat(count).upstream(UPSTREAM).connections == share


def test_all_else_is_the_same_and_only_the_supervisor_has_a_web_address() -> None:
    mine = seat(2).config(CONFIG)
    assert mine.web is None
    same = {"web": CONFIG.web, "limits": CONFIG.limits}
    assert replace(mine, **same) == CONFIG
    maildir = MaildirUpstream("out", Path("/out"))
    assert seat(2).upstream(maildir) == maildir


def test_the_embedded_store_is_that_of_the_supervisor() -> None:
    assert seat(2, "unix:///run/store").config(CONFIG).store.url == "unix:///run/store"
    assert seat(2).config(CONFIG).store == CONFIG.store


def test_quarters_are_private_empty_and_gone_afterwards(tmp_path: Path) -> None:
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers" / "counter_1.db").touch()
    quarters = Quarters(tmp_path)
    assert list(quarters.metrics.iterdir()) == []
    assert quarters.metrics.stat().st_mode & 0o077 == 0
    quarters.close()
    assert not quarters.metrics.exists()


def test_sockets_have_a_path_that_fits_however_long_the_data_directory_is(tmp_path: Path) -> None:
    quarters = Quarters(tmp_path / ("long" * 30))
    socket = quarters.ops(64)
    assert len(os.fsencode(socket)) <= 100
    assert socket.parent.stat().st_mode & 0o077 == 0
    quarters.close()
    assert not socket.parent.exists()
