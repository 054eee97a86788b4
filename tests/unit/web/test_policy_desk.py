"""Saving policies: two who save at once, and what is kept of the file before."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

from relay.admin.policy_desk import PolicyDesk
from relay.ports.pages import CannotSave

TEXT = """\
description: d
source: s
ramp: {advance: calendar-days, tiers: [{from: 0, cap: 5}]}
window: {kind: calendar-day, timezone: UTC}
"""


class Audit:
    async def add(self, _entry) -> None:
        pass

    async def replace(self, _was, _becomes) -> None:
        pass


def desk_over(folder: Path) -> PolicyDesk:
    config = SimpleNamespace(
        policy_directories=[folder], providers=SimpleNamespace(names=frozenset())
    )
    clock = SimpleNamespace(now=lambda: datetime(2026, 3, 1, tzinfo=UTC))
    return PolicyDesk(lambda: config, clock, Audit())


async def test_of_two_who_save_what_they_read_at_once_one_is_told(tmp_path):
    file = tmp_path / "ramp.yaml"
    file.write_text(TEXT)
    desk = desk_over(tmp_path)
    read = await desk.text("ramp")
    assert read is not None
    texts = [TEXT.replace("cap: 5", f"cap: {cap}") for cap in range(6, 12)]

    saves = (desk.save("ramp", text, read.digest, actor="user olga") for text in texts)
    came = await asyncio.gather(*saves, return_exceptions=True)

    [saved] = [place for place, each in enumerate(came) if each is None]
    assert file.read_text() == texts[saved]
    assert sum(isinstance(each, CannotSave) for each in came) == len(texts) - 1


async def test_the_backup_is_the_file_as_it_was_to_the_byte(tmp_path):
    written = TEXT.replace("\n", "\r\n").encode("utf-8-sig")
    file = tmp_path / "ramp.yaml"
    file.write_bytes(written)
    desk = desk_over(tmp_path)
    read = await desk.text("ramp")
    assert read is not None

    await desk.save("ramp", TEXT.replace("cap: 5", "cap: 6"), read.digest, actor="user olga")

    [backup] = tmp_path.glob("ramp.yaml.*.bak")
    assert backup.read_bytes() == written
