"""A large config, read by a process of its own: the same config, and the same problems."""

import gc
import os
import subprocess
import sys

import pytest

from relay.core.sources import Sources
from relay.settings.apart import reader as apart
from relay.settings.apart.handing import handed
from relay.settings.apart.here import ReaderHere, is_large
from relay.settings.apart.reader import ApartReader, ReadingFailed, let_go, parts_of
from relay.settings.live import LiveSettings
from relay.settings.load import load_config
from relay.settings.problems import ConfigProblems
from relay.settings.yaml.files import LARGE_BYTES
from tests.unit.settings.told import CONFIG, LARGE, edited


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "relay.yaml"
    path.write_text(LARGE)
    assert is_large(path)
    return path


def test_it_is_the_config_that_everybody_else_reads(path):
    loaded = ApartReader().read(path, {})

    assert loaded.config == load_config(path, {})
    assert loaded.config.sources == Sources()
    assert loaded.places["tenants"] == (12, 1)


def test_what_has_not_changed_stays_the_same_object(path):
    reader = ApartReader()
    before = reader.read(path, {}).config.directory
    assert reader.read(path, {}).config.directory is before
    path.write_text(edited(LARGE, "b.d1999.example", "x.d1999.example"))

    after = reader.read(path, {}).config

    assert after == load_config(path, {})
    kept = [
        name for name, domain in before.domains.items() if after.directory.domains[name] is domain
    ]
    assert 0 < len(before.domains) - len(kept) <= 200


async def test_what_is_handed_over_is_the_config_and_is_not_made_again_when_it_is_read(path):
    parent = ApartReader().read(path, {})
    child = ApartReader()

    given = child.take(iter(await handed(parent.config, parent.seen)))
    read = child.read(path, {})

    assert given.config == parent.config
    assert given.seen == parent.seen == read.seen
    assert read.config.directory is given.config.directory


def test_an_edited_policy_reaches_every_domain(path, tmp_path):
    reader = ApartReader()
    reader.read(path, {})
    (tmp_path / "policies").mkdir()
    text = "description: x\nramp: {advance: calendar-days, tiers: [{from: 0, cap: 7}]}\n"
    text += "window: {kind: calendar-day, timezone: UTC}\nexcess: defer\n"
    (tmp_path / "policies" / "calendar-14-day.yaml").write_text(text)

    after = reader.read(path, {}).config

    assert after == load_config(path, {})
    assert after.directory.domains["d7.example"].routes[0].policy.ramp.tiers[0].cap == 7


def test_its_problems_are_those_of_any_reading(path):
    path.write_text(edited(LARGE, "b.d700.example", "b..d700.example"))
    with pytest.raises(ConfigProblems) as found:
        ApartReader().read(path, {})
    with pytest.raises(ConfigProblems) as expected:
        load_config(path, {})

    assert found.value.problems == expected.value.problems
    assert found.value.files == expected.value.files
    assert found.value.problems[0].line == LARGE.split("b.d700.example")[0].count("\n") + 1


def test_a_bad_edit_of_a_large_config_changes_nothing(path):
    live = LiveSettings.of(path, {}, ReaderHere())
    before = live.config
    path.write_text(edited(LARGE, "b.d700.example", "b..d700.example"))

    assert len(live.reload()) == 1
    assert live.failed
    assert live.config is before
    path.write_text(edited(LARGE, "store: embedded", "store: embedded\nlimits: {errors: 3}"))
    (note,) = live.reload()
    assert (note.is_note, note.line, note.column) == (True, 3, 1)
    assert not live.failed
    assert live.config.directory is before.directory


def test_the_environment_is_that_of_the_relay(path):
    path.write_text(edited(LARGE, "hostname: relay.example.net", "hostname: ${HOST}"))

    assert ApartReader().read(path, {"HOST": "set.example"}).config.hostname == "set.example"


def test_a_process_that_takes_too_long_is_ended_and_told_of(path, monkeypatch):
    live = LiveSettings.of(path, {}, ReaderHere())
    before = live.config
    monkeypatch.setattr(apart, "READ_S", 0.01)

    (problem,) = live.reload()

    assert problem.text == "the config cannot be read: ReadingFailed"
    assert live.failed
    assert live.config is before
    with pytest.raises(ReadingFailed):
        ApartReader().read(path, {})


@pytest.mark.parametrize("name", ["b.d700.example", "b..d700.example"], ids=["good", "bad"])
def test_what_reads_for_a_relay_that_was_killed_meanwhile_ends_without_a_word(path, name):
    path.write_text(edited(LARGE, "b.d700.example", name))
    ours, its = os.pipe()
    os.close(ours)
    with os.fdopen(its, "wb") as nobody_reads:
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "relay.settings.apart", str(path), "0"],
            stdout=nobody_reads,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )

    assert (ended.returncode, ended.stderr) == (1, b"")


def test_collector_and_interpreter_are_left_as_they_were(path):
    before = gc.isenabled(), sys.getswitchinterval()
    ApartReader().read(path, {})

    assert (gc.isenabled(), sys.getswitchinterval()) == before


def test_an_old_config_is_taken_down_to_the_last_part(path):
    config = load_config(path, {})
    parts = parts_of(config)
    assert len(parts) >= 3 * len(config.directory.domains) - 3

    let_go(parts)

    assert parts == []


def test_a_small_config_is_not_worth_a_process(tmp_path):
    small = tmp_path / "relay.yaml"
    small.write_text(CONFIG)

    assert len(CONFIG) < LARGE_BYTES
    assert not is_large(small)
    assert not is_large(tmp_path / "none.yaml")
