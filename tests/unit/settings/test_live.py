"""The config in force: a good edit replaces it, a bad one changes nothing."""

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from watchfiles import awatch

from relay.settings.apart.here import ReaderHere
from relay.settings.live import LiveSettings
from relay.settings.load import load_config
from relay.settings.problems import ConfigProblems, Problem
from relay.settings.watching import Watched
from tests.unit.settings.told import CONFIG, POLICY, SECRET, edited

DEADLINE_S = 15


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "relay.yaml"
    path.write_text(CONFIG)
    return path


def edit(path: Path, old: str, new: str) -> None:
    path.write_text(edited(path.read_text(), old, new))


def test_a_good_edit_is_in_force_after_a_reload(path):
    live = LiveSettings.of(path, {}, ReaderHere())
    heard = []
    live.subscribe(heard.append)
    edit(path, "other.example", "third.example")

    assert live.reload() == []
    assert "third.example" in live.directory.domains
    assert heard == [live.config]
    assert live.config == load_config(path, {})
    assert not live.failed


def test_a_bad_edit_is_refused_whole_and_the_old_config_stays(path):
    live = LiveSettings.of(path, {}, ReaderHere())
    before = live.config
    heard = []
    live.subscribe(heard.append)
    edit(path, "other.example", "third.example")
    edit(path, "policy: exempt", "policy: exemt")

    problems = live.reload()

    assert [problem.text for problem in problems] == ['unknown policy "exemt"']
    assert not any(problem.is_note for problem in problems)
    assert live.config is before
    assert live.failed
    assert list(live.problems) == problems
    assert heard == []


def test_a_mended_edit_ends_the_failure(path):
    live = LiveSettings.of(path, {}, ReaderHere())
    good = path.read_text()
    path.write_text("{")
    live.reload()
    path.write_text(good)

    assert live.reload() == []
    assert not live.failed
    assert live.problems == ()


def test_a_config_that_is_gone_changes_nothing(path):
    live = LiveSettings.of(path, {}, ReaderHere())
    path.unlink()

    assert [problem.text for problem in live.reload()] == ["there is no such file"]
    assert live.failed
    assert "news.acme.example" in live.directory.domains


def test_a_reload_without_a_change_tells_nobody(path):
    live = LiveSettings.of(path, {}, ReaderHere())
    before = live.config
    heard = []
    live.subscribe(heard.append)

    assert live.reload() == []
    assert heard == []
    assert live.config is before


RESTART = [
    ("hostname", "relay.example.net", "other.example.net"),
    ("store", "store: embedded", "store: redis://127.0.0.1"),
    ("data_dir", "store: embedded", "store: embedded\ndata_dir: elsewhere"),
    ("listeners", "127.0.0.1:2525", "127.0.0.1:2526"),
    ("web", "127.0.0.1:8025", "127.0.0.1:8026"),
    ("limits", "store: embedded", "store: embedded\nlimits: {errors: 3}"),
    ("log", "log: {level: info}", "log: {level: debug}"),
]


@pytest.mark.parametrize(("key", "old", "new"), RESTART)
def test_what_needs_a_restart_is_noted_and_keeps_its_value(path, key, old, new):
    live = LiveSettings.of(path, {}, ReaderHere())
    before = live.config
    edit(path, old, new)
    edit(path, "other.example:", "third.example:")

    (note,) = live.reload()

    assert note.is_note
    assert note.text == f"{key} changed; the old value is in force"
    assert note.hint == "restart the relay"
    line = next(
        n for n, text in enumerate(path.read_text().splitlines(), 1) if text.startswith(key)
    )
    assert (note.file, note.line, note.column) == (str(path), line, 1)
    assert getattr(live.config, key) == getattr(before, key)
    assert "third.example" in live.directory.domains
    assert not live.failed


def test_a_note_stays_until_the_restart_or_the_way_back(path):
    live = LiveSettings.of(path, {}, ReaderHere())
    edit(path, "127.0.0.1:2525", "127.0.0.1:2526")

    assert len(live.reload()) == len(live.reload()) == 1
    edit(path, "127.0.0.1:2526", "127.0.0.1:2525")
    assert live.reload() == []


def test_a_subscriber_that_fails_keeps_nobody_else_from_hearing(path):
    def fail(config):
        raise RuntimeError("nobody may see me")

    live = LiveSettings.of(path, {}, ReaderHere())
    heard = []
    live.subscribe(fail)
    live.subscribe(heard.append)
    edit(path, "other.example", "third.example")

    assert live.reload() == []
    assert len(heard) == 1
    assert "third.example" in live.directory.domains


def test_a_bug_in_reading_is_a_problem_and_no_exception(path, monkeypatch):
    live = LiveSettings.of(path, {}, ReaderHere())
    before = live.config
    monkeypatch.setattr("relay.settings.apart.here.load", lambda *_: 1 / 0)

    (problem,) = live.reload()

    assert "ZeroDivisionError" in problem.text
    assert live.failed
    assert live.config is before


def test_settings_that_are_wrong_at_the_start_are_refused(path):
    path.write_text("{")
    with pytest.raises(ConfigProblems):
        LiveSettings.of(path, {}, ReaderHere())


@asynccontextmanager
async def watching(live: LiveSettings):
    """`live` being watched; ends the watch and fails if it had ended by itself."""
    stop = asyncio.Event()
    watch = asyncio.create_task(live.watch(stop))
    await asyncio.sleep(0.5)
    try:
        yield
        assert not watch.done()
    finally:
        stop.set()
        await asyncio.wait_for(watch, DEADLINE_S)


async def until(condition) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - polls files, threads and tasks alike
            await asyncio.sleep(0.02)


async def test_an_edit_is_seen(path):
    live = LiveSettings.of(path, {}, ReaderHere())
    async with watching(live):
        edit(path, "other.example", "third.example")
        await until(lambda: "third.example" in live.directory.domains)


async def test_an_edit_is_seen_well_before_the_next_poll(path, monkeypatch):
    monkeypatch.setattr("relay.settings.watching.POLL_S", 60.0)
    live = LiveSettings.of(path, {}, ReaderHere())
    async with watching(live):
        edit(path, "other.example", "third.example")
        await until(lambda: "third.example" in live.directory.domains)


async def test_the_watch_is_begun_once_however_often_it_looks(path, monkeypatch):
    monkeypatch.setattr("relay.settings.watching.POLL_S", 0.1)
    begun = []

    def counted(*folders, **more):
        begun.append(folders)
        return awatch(*folders, **more)

    monkeypatch.setattr("relay.settings.watching.awatch", counted)
    live = LiveSettings.of(path, {}, ReaderHere())
    async with watching(live):
        await asyncio.sleep(1)
        edit(path, "other.example", "third.example")
        await until(lambda: "third.example" in live.directory.domains)
    assert len(begun) == 1


async def test_what_else_is_written_beside_the_files_makes_few_looks_and_hides_no_edit(path):
    live = LiveSettings.of(path, {}, ReaderHere())
    looks = []
    look = Watched.fingerprint

    def counted(watched):
        looks.append(1)
        return look(watched)

    async def log(lines: int) -> None:
        for _ in range(lines):
            with path.with_name("relay.log").open("a") as file:
                file.write("a line\n")
            await asyncio.sleep(0.01)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Watched, "fingerprint", counted)
        async with watching(live):
            looks.clear()
            began = time.monotonic()
            await log(150)
            assert 0 < len(looks) <= 3 + 3 * (time.monotonic() - began)
            writing = asyncio.create_task(log(2000))
            edit(path, "other.example", "third.example")
            await until(lambda: "third.example" in live.directory.domains)
            assert not writing.done()
            writing.cancel()


async def test_an_editor_that_writes_anew_and_renames_is_seen_every_time(path):
    live = LiveSettings.of(path, {}, ReaderHere())
    async with watching(live):
        for name in ("one.example", "two.example", "three.example"):
            fresh = path.with_name("4913.tmp")
            fresh.write_text(edited(CONFIG, "other.example", name))
            path.rename(path.with_name("relay.yaml~"))
            fresh.rename(path)
            await until(lambda name=name: name in live.directory.domains)
        assert not live.failed


async def test_a_bad_edit_is_seen_and_its_mending_too(path):
    live = LiveSettings.of(path, {}, ReaderHere())
    async with watching(live):
        path.write_text("{")
        await until(lambda: live.failed)
        assert "other.example" in live.directory.domains
        path.write_text(edited(CONFIG, "other.example", "third.example"))
        await until(lambda: "third.example" in live.directory.domains and not live.failed)


async def test_a_policy_that_is_edited_added_and_removed_is_seen(path):
    policies = path.parent / "policies"
    policies.mkdir()
    (policies / "mine.yaml").write_text(POLICY)
    edit(path, "policy: exempt", "policy: mine")
    live = LiveSettings.of(path, {}, ReaderHere())

    def cap():
        return live.directory.domains["other.example"].routes[0].policy.ramp.tier_at(0).cap

    async with watching(live):
        assert cap() == 50
        (policies / "mine.yaml").write_text(edited(POLICY, "cap: 50", "cap: 60"))
        await until(lambda: cap() == 60)
        (policies / "broken.yaml").write_text("{")
        await until(lambda: live.failed)
        (policies / "broken.yaml").unlink()
        await until(lambda: not live.failed)
        assert cap() == 60


async def test_a_policy_directory_that_appears_later_is_seen(path):
    live = LiveSettings.of(path, {}, ReaderHere())
    async with watching(live):
        (path.parent / "policies").mkdir()
        (path.parent / "policies" / "calendar-14-day.yaml").write_text(POLICY)
        await until(
            lambda: live.directory.domains["news.acme.example"].routes[0].policy.source == ""
        )


async def test_a_secret_file_elsewhere_is_seen_also_when_it_was_missing(path, tmp_path):
    secret = tmp_path / "run" / "secret"
    secret.parent.mkdir()
    secret.write_text(SECRET)
    edit(path, f'"{SECRET}"', "file:run/secret")
    live = LiveSettings.of(path, {}, ReaderHere())
    other = SECRET.replace("MDEy", "MTEy")

    def held():
        return live.directory.credentials["acme"][0].secret

    async with watching(live):
        secret.unlink()
        await until(lambda: live.failed)
        assert held() == SECRET
        secret.write_text(other)
        await until(lambda: held() == other and not live.failed)


async def test_a_secret_file_that_a_refused_edit_asked_for_is_waited_for(path, tmp_path):
    (tmp_path / "run").mkdir()
    live = LiveSettings.of(path, {}, ReaderHere())
    other = SECRET.replace("MDEy", "MTEy")
    async with watching(live):
        edit(path, f'"{SECRET}"', "file:run/secret")
        await until(lambda: live.failed)
        (tmp_path / "run" / "secret").write_text(other)
        await until(lambda: live.directory.credentials["acme"][0].secret == other)


async def test_a_symbolic_link_that_is_moved_is_seen(path):
    """As a mounted ConfigMap changes: the link to the directory is replaced."""
    folder = path.parent
    for name, domain in (("v1", "other.example"), ("v2", "third.example")):
        (folder / name).mkdir()
        (folder / name / "relay.yaml").write_text(edited(CONFIG, "other.example", domain))
    (folder / "..data").symlink_to("v1")
    path.unlink()
    path.symlink_to("..data/relay.yaml")
    live = LiveSettings.of(path, {}, ReaderHere())
    async with watching(live):
        (folder / "..tmp").symlink_to("v2")
        (folder / "..tmp").replace(folder / "..data")
        await until(lambda: "third.example" in live.directory.domains)


async def test_an_edit_between_loading_and_watching_is_not_missed(path):
    live = LiveSettings.of(path, {}, ReaderHere())
    edit(path, "other.example", "third.example")
    async with watching(live):
        await until(lambda: "third.example" in live.directory.domains)


async def test_a_directory_that_goes_and_comes_back_does_not_end_the_watch(path):
    live = LiveSettings.of(path, {}, ReaderHere())
    folder = path.parent
    async with watching(live):
        folder.rename(folder.with_name("away"))
        await until(lambda: live.failed)
        folder.with_name("away").rename(folder)
        await until(lambda: not live.failed)
        edit(path, "other.example", "third.example")
        await until(lambda: "third.example" in live.directory.domains)


def no_inotify(*_, **__):
    raise OSError("no space left on device")


async def test_where_the_system_tells_nothing_the_files_are_looked_at(path, monkeypatch):
    monkeypatch.setattr("relay.settings.watching.awatch", no_inotify)
    live = LiveSettings.of(path, {}, ReaderHere())
    async with watching(live):
        edit(path, "other.example", "third.example")
        await until(lambda: "third.example" in live.directory.domains)


class Counted(ReaderHere):
    """Counts how often somebody has read, and takes its time."""

    def __init__(self, takes_s=0):
        super().__init__()
        self.times = 0
        self.takes_s = takes_s

    def read(self, *given, **more):
        self.times += 1
        time.sleep(self.takes_s)
        return super().read(*given, **more)


@pytest.mark.parametrize("kind", ["in a file", "in place"])
async def test_what_was_loaded_is_not_read_again_when_the_watch_begins(path, kind):
    (path.parent / "secret").write_text(SECRET)
    if kind == "in a file":
        edit(path, SECRET, "file:secret")
    reader = Counted()
    live = LiveSettings.of(path, {}, reader)
    async with watching(live):
        await asyncio.sleep(1)

    assert reader.times == 1


async def test_a_worker_s_settings_know_what_was_read_for_them(path):
    first = LiveSettings.of(path, {}, ReaderHere())
    reader = Counted()
    second = LiveSettings(first.config, {}, reader, first.seen)
    async with watching(second):
        await asyncio.sleep(0.5)

    assert reader.times == 0


async def test_the_settings_of_files_that_are_refused_by_now_are_read_at_once(path):
    first = LiveSettings.of(path, {}, ReaderHere())
    path.write_text("{")
    first.reload()
    second = LiveSettings(first.config, {}, ReaderHere(), first.seen)
    async with watching(second):
        await until(lambda: second.failed)


@pytest.mark.parametrize("name", ["relay.yaml", "policies/mine.yaml", "secret"])
async def test_an_edit_between_loading_and_watching_is_seen(path, name):
    (path.parent / "policies").mkdir()
    (path.parent / "policies" / "mine.yaml").write_text(POLICY)
    (path.parent / "secret").write_text(SECRET)
    edit(path, SECRET, "file:secret")
    reader = Counted()
    live = LiveSettings.of(path, {}, reader)
    with (path.parent / name).open("a") as file:
        file.write("\n")
    async with watching(live):
        await until(lambda: reader.times == 2)
        await asyncio.sleep(1)

    assert reader.times == 2


@pytest.mark.parametrize("takes_s", [0, 1])
@pytest.mark.parametrize("edited_to", ["{", CONFIG + "# an edit\n"])
async def test_an_edit_that_somebody_refreshed_for_is_not_read_again(path, edited_to, takes_s):
    reader = Counted(takes_s)
    live = LiveSettings.of(path, {}, reader)
    async with watching(live):
        with capture_logs() as logs:
            path.write_text(edited_to)
            await live.refresh()
            await asyncio.sleep(1.5)

    refusals = [log for log in logs if log["event"] == "settings.reload_refused"]
    assert len(refusals) == (1 if edited_to == "{" else 0)
    assert live.failed == (edited_to == "{")
    assert reader.times == 2 or live.failed


def test_of_several_processes_one_tells_of_a_refusal(path):
    loud = LiveSettings.of(path, {}, ReaderHere())
    quiet = LiveSettings(loud.config, {}, ReaderHere(), is_loud=False)
    path.write_text("{")
    with capture_logs() as logs:
        for live in (loud, quiet):
            live.reload()
            assert live.failed

    refusals = [log["log_level"] for log in logs if log["event"] == "settings.reload_refused"]
    assert refusals == ["error", "debug"]


async def test_a_watch_that_fails_goes_on(path, monkeypatch):
    monkeypatch.setattr("relay.settings.live._RETRY_S", 0.05)
    live = LiveSettings.of(path, {}, ReaderHere())
    calls = []

    async def refresh(_now):
        calls.append(1)
        raise RuntimeError("nobody may see me")

    monkeypatch.setattr(live, "refresh", refresh)
    async with watching(live):
        edit(path, "other.example", "third.example")
        await until(lambda: len(calls) > 3)


async def test_cancelling_the_watch_does_not_set_the_stop_of_others(path):
    live = LiveSettings.of(path, {}, ReaderHere())
    stop = asyncio.Event()
    watch = asyncio.create_task(live.watch(stop))
    await asyncio.sleep(0.5)
    watch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(watch, DEADLINE_S)

    assert not stop.is_set()


@pytest.mark.parametrize("is_blind", [False, True])
async def test_the_watch_ends_soon_after_stop(path, monkeypatch, is_blind):
    monkeypatch.setattr("relay.settings.watching.POLL_S", 60.0)
    if is_blind:
        monkeypatch.setattr("relay.settings.watching.awatch", no_inotify)
    live = LiveSettings.of(path, {}, ReaderHere())
    stop = asyncio.Event()
    watch = asyncio.create_task(live.watch(stop))
    await asyncio.sleep(1)
    stop.set()

    await asyncio.wait_for(watch, 5)


async def test_refreshes_at_once_come_one_after_the_other(path):
    live = LiveSettings.of(path, {}, ReaderHere())
    edit(path, "other.example", "third.example")
    heard = []
    live.subscribe(heard.append)

    results = await asyncio.gather(*(live.refresh() for _ in range(3)))

    assert results == [[], [], []]
    assert len(heard) == 1


async def test_a_storm_of_refreshes_reads_twice_and_all_of_them_see_the_last_edit(path):
    reader = Counted()
    live = LiveSettings.of(path, {}, reader)
    first = asyncio.create_task(live.refresh())
    await until(lambda: reader.times == 2)
    path.write_text("{")

    results = await asyncio.gather(*(live.refresh() for _ in range(50)))

    await first
    assert all(results)
    assert live.failed
    assert reader.times <= 4


def test_settings_can_be_made_of_a_config(path):
    config = replace(load_config(path, {}), hostname="set.by.hand")

    assert LiveSettings(config, {}).config is config


async def test_files_that_could_not_be_read_for_a_while_are_read_again_without_an_edit(
    path, monkeypatch
):
    monkeypatch.setattr("relay.settings.live._RETRY_S", 0.2)
    monkeypatch.setattr("relay.settings.watching.POLL_S", 0.1)
    live = LiveSettings.of(path, {}, ReaderHere())

    def too_many(*_given):
        raise ConfigProblems([Problem(str(path), 1, 1, "Too many open files")])

    with monkeypatch.context() as descriptors, capture_logs() as logs:
        descriptors.setattr("relay.settings.apart.here.load", too_many)
        async with watching(live):
            path.touch()
            await until(lambda: live.failed)
            await asyncio.sleep(1)
            descriptors.undo()
            await until(lambda: not live.failed)
    assert [log["event"] for log in logs].count("settings.reload_refused") == 1, logs


async def test_refused_files_that_take_long_to_read_are_read_seldom(path, monkeypatch):
    monkeypatch.setattr("relay.settings.live._RETRY_S", 0.01)
    monkeypatch.setattr("relay.settings.watching.POLL_S", 0.01)
    monkeypatch.setattr("relay.settings.watching._LOOK_S", 0.01)
    live = LiveSettings.of(path, {}, ReaderHere())
    readings = []

    def slow(*_given):
        readings.append(time.monotonic())
        time.sleep(0.05)
        raise ConfigProblems([Problem(str(path), 1, 1, "of a hundred thousand domains")])

    monkeypatch.setattr("relay.settings.apart.here.load", slow)
    async with watching(live):
        path.touch()
        await until(lambda: len(readings) > 4)
    # One more may fall to the border of two turns.
    assert readings[4] - readings[1] > 2 * 10 * 0.05, readings
