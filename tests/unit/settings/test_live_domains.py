"""Domains that are added while the relay runs join those of the files, and a reload keeps them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from relay.core.errors import StoreTrouble
from relay.core.tenants.added import AddedDomain, RouteWish
from relay.domains.following import Following
from relay.ports.domains import Unreadable
from relay.settings.live import LiveSettings

NOW = datetime(2026, 3, 10, tzinfo=UTC)
TEXT = """\
hostname: relay.example.net
listeners: [{address: "127.0.0.1:2525"}]
upstreams: {outbound: {url: "maildir:out"}}
tenants: {acme: {domains: {news.acme.example: {routes: [{upstream: outbound, policy: exempt}]}}}}
"""


def added(name: str, mark: str = "m1", **more) -> AddedDomain:
    wish = (RouteWish("outbound", "calendar-14-day"),)
    return AddedDomain(name, "acme", wish, "t", NOW, "a test", proven_at=NOW, mark=mark, **more)


class Shelf:
    """What a store holds; `away` makes it fail, `reads` counts records."""

    def __init__(self) -> None:
        self.held: dict[str, AddedDomain | Unreadable] = {}
        self.number = 0
        self.away = False
        self.reads: list[str] = []

    def keep(self, *domains: AddedDomain) -> None:
        self.held |= {each.name: each for each in domains}
        self.number += 1

    async def edition(self) -> str:
        if self.away:
            raise StoreTrouble
        return str(self.number)

    async def marks(self) -> dict[str, str]:
        return {name: getattr(each, "mark", "?") for name, each in self.held.items()}

    async def some(self, names):
        self.reads += names
        return {name: self.held[name] for name in names if name in self.held}


@pytest.fixture
def settings(tmp_path) -> LiveSettings:
    path = tmp_path / "relay.yaml"
    path.write_text(TEXT)
    return LiveSettings.of(path, {})


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def following(settings, shelf) -> Following:
    return Following(settings, shelf)


async def test_each_change_is_told_once(settings, shelf):
    told = []
    following = Following(settings, shelf, lambda: told.append(shelf.number))
    await following.catch_up()
    shelf.keep(added("one.example"))
    await following.catch_up()
    shelf.keep()  # as a pause does: nothing of the domains has changed
    await following.catch_up()
    await following.catch_up()
    assert told == [0, 1, 2]
    assert shelf.reads == ["one.example"]


def names(settings: LiveSettings) -> list[str]:
    return sorted(settings.directory.domains)


async def test_only_what_has_changed_is_read(settings, shelf, following):
    shelf.keep(added("a.acme.example"), added("b.acme.example"))
    await following.catch_up()
    await following.catch_up()
    assert sorted(shelf.reads) == ["a.acme.example", "b.acme.example"]
    shelf.keep(added("b.acme.example", "m2", envelope_domains=("x.b.acme.example",)))
    await following.catch_up()
    assert shelf.reads[2:] == ["b.acme.example"]
    assert settings.directory.domains["b.acme.example"].envelope_domains == {"x.b.acme.example"}
    del shelf.held["a.acme.example"]
    shelf.keep()
    await following.catch_up()
    assert names(settings) == ["b.acme.example", "news.acme.example"]


async def test_a_store_that_is_away_keeps_what_was_known(settings, shelf, following):
    await following.begin()
    shelf.keep(added("a.acme.example"))
    await following.catch_up()
    shelf.away = True
    with pytest.raises(StoreTrouble):
        await following.catch_up()
    await following.begin()
    assert names(settings) == ["a.acme.example", "news.acme.example"]
    assert settings.directory.is_whole


async def test_until_the_store_was_read_nobody_knows_what_was_added(settings, shelf, following):
    shelf.away = True
    await following.begin()
    assert not settings.directory.is_whole
    shelf.away = False
    await following.catch_up()
    assert settings.directory.is_whole


async def test_a_broken_record_is_left_out_alone(settings, shelf, following):
    shelf.keep(added("a.acme.example"))
    shelf.held["b.acme.example"] = Unreadable("no JSON")
    await following.catch_up()
    assert names(settings) == ["a.acme.example", "news.acme.example"]


async def test_a_reload_keeps_added_domains_and_its_own_win(settings, shelf, following):
    shelf.keep(added("new.acme.example"), added("a.acme.example"))
    await following.catch_up()
    heard = []
    settings.subscribe(lambda config: heard.append(sorted(config.directory.domains)))
    path = settings.base.path
    path.write_text(TEXT.replace("{news.acme", "{new.acme.example: {routes: [{upstream: outbound, policy: exempt}]}, news.acme"))  # fmt: skip
    assert settings.reload() == []
    assert heard == [["a.acme.example", "new.acme.example", "news.acme.example"]]
    assert settings.directory.domains["new.acme.example"].routes[0].policy.name == "exempt"
    assert list(settings.flaws) == ["new.acme.example"]
    assert settings.base.directory.domains.keys() == {"news.acme.example", "new.acme.example"}
    path.write_text(TEXT)
    settings.reload()
    own = settings.directory.domains["new.acme.example"]
    assert own.routes[0].policy.name == "calendar-14-day"
    assert settings.flaws == {}


async def test_a_refused_edit_changes_nothing_for_added_domains(settings, shelf, following):
    shelf.keep(added("a.acme.example"))
    await following.catch_up()
    settings.base.path.write_text("nonsense")
    assert settings.reload()
    assert names(settings) == ["a.acme.example", "news.acme.example"]
