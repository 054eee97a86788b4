"""Keys sealed anew: resumable, and without undoing what somebody else does meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from relay.core.tenants.added import AddedDomain, RouteWish
from relay.core.tenants.audit import Outcome as Told
from relay.core.tenants.tenancy import SealedKey
from relay.domains.resealing import Resealing
from relay.ports.domains import By, Kept, Unreadable
from relay.signing.sealed import new_sealed_keys, opened
from relay.signing.sealing import CannotOpen, NoSealingKey, Vault

NOW = datetime(2026, 3, 2, tzinfo=UTC)
BY = By("root", None, "it leaked")


class Shelf:
    """Added domains in memory; `before_put` is somebody else, who is quicker."""

    def __init__(self, *domains):
        self.held = {each.name: each for each in domains}
        self.before_put = lambda _shelf: None
        self.puts = 0

    async def marks(self):
        return dict.fromkeys(self.held, "")

    async def some(self, names):
        return {name: self.held[name] for name in names if name in self.held}

    async def get(self, name):
        return self.held.get(name)

    async def put(self, domain, *, instead, most):
        self.before_put(self)
        self.puts += 1
        if domain.name not in self.held or self.held[domain.name].mark != instead:
            return Kept.STALE
        self.held[domain.name] = domain
        return Kept.DONE


class Clock:
    """It stands still."""

    simulated = None

    def now(self):
        return NOW


class Log:
    """The audit log in memory."""

    def __init__(self):
        self.entries = []

    async def add(self, entry):
        self.entries.append(entry)

    async def replace(self, was, becomes):
        self.entries.remove(was)
        self.entries += [becomes] if becomes else []


@pytest.fixture
def old(tmp_path):
    return vault_in(tmp_path / "old.key")


@pytest.fixture
def new(tmp_path):
    return vault_in(tmp_path / "new.key")


def vault_in(path) -> Vault:
    made = Vault(path, makes=True)
    made.seal(b"", "make the file")
    return Vault(path, makes=False)


def domain(name, vault) -> AddedDomain:
    keys = new_sealed_keys(vault, name, "wr1")
    routes = (RouteWish("outbound", "ramp"),)
    return AddedDomain(name, "acme", routes, "token", NOW, "tina", dkim=keys, mark=f"1-{name}")


def resealing(shelf, log, old, new) -> Resealing:
    return Resealing(shelf, log, Clock(), old, new)


async def test_each_key_opens_with_the_new_secret_and_is_the_one_that_it_was(old, new):
    shelf, log = Shelf(domain("a.example", old), domain("b.example", old)), Log()
    before = dict(shelf.held)
    found = await resealing(shelf, log, old, new).run(BY)
    assert (found.changed, found.current, found.wrong) == (2, 0, {})
    for name, held in shelf.held.items():
        assert held.mark != before[name].mark
        assert replace(held, dkim=(), mark="") == replace(before[name], dkim=(), mark="")
        for was, key in zip(before[name].dkim, held.dkim, strict=True):
            assert (key.selector, key.record) == (was.selector, was.record)
            assert opened(new, name, key).algorithm == opened(old, name, was).algorithm
            with pytest.raises(CannotOpen):
                opened(old, name, key)
    [entry] = log.entries
    assert (entry.action, entry.reason, entry.outcome) == ("reseal domains", BY.reason, Told.DONE)
    assert entry.after == {"secret": new.name, "domains": 2, "wrong": 0}
    assert entry.before == {"secret": old.name}


async def test_a_run_that_was_cut_short_is_gone_on_with(old, new):
    shelf, log = Shelf(domain("a.example", new), domain("b.example", old)), Log()
    done = shelf.held["a.example"]
    found = await resealing(shelf, log, old, new).run(BY)
    assert (found.changed, found.current, shelf.puts) == (1, 1, 1)
    assert shelf.held["a.example"] is done
    again = await resealing(shelf, log, old, new).run(BY)
    assert (again.changed, again.current, len(log.entries)) == (0, 2, 1), "nothing done, no entry"


async def test_what_somebody_changes_meanwhile_is_kept(old, new):
    shelf, log = Shelf(domain("a.example", old)), Log()

    def approve(shelf):
        shelf.before_put = lambda _shelf: None
        held = shelf.held["a.example"]
        shelf.held["a.example"] = replace(held, proven_at=NOW, proven_by="olga", mark="2")

    shelf.before_put = approve
    assert (await resealing(shelf, log, old, new).run(BY)).changed == 1
    assert shelf.held["a.example"].proven_by == "olga"
    opened(new, "a.example", shelf.held["a.example"].dkim[0])


async def test_a_domain_that_is_removed_meanwhile_stays_so(old, new):
    shelf, log = Shelf(domain("a.example", old)), Log()
    shelf.before_put = lambda shelf: shelf.held.clear()
    found = await resealing(shelf, log, old, new).run(BY)
    assert (found.changed, found.wrong, shelf.held, log.entries) == (0, {}, {}, [])


async def test_what_neither_secret_opens_is_named_and_the_others_go_on(tmp_path, old, new):
    lost = domain("lost.example", vault_in(tmp_path / "lost.key"))
    shelf, log = Shelf(lost, domain("a.example", old)), Log()
    shelf.held["odd.example"] = Unreadable("version 9")
    found = await resealing(shelf, log, old, new).run(BY)
    assert (found.changed, sorted(found.wrong)) == (1, ["lost.example", "odd.example"])
    assert "another secret than that in" in found.wrong["lost.example"]
    assert shelf.held["lost.example"] is lost


async def test_without_both_files_nothing_is_done(tmp_path, old, new):
    missing = Vault(tmp_path / "none.key", makes=False)
    for pair in ((missing, new), (old, missing)):
        shelf, log = Shelf(domain("a.example", old)), Log()
        with pytest.raises(NoSealingKey, match="cannot be read"):
            await resealing(shelf, log, *pair).run(BY)
        assert (shelf.puts, log.entries) == (0, [])


def test_a_vault_goes_on_with_the_old_secret_until_it_meets_the_new_one(tmp_path, old, new):
    path = tmp_path / "old.key"
    before = SealedKey("s", "r", old.seal(b"content", "x"))
    path.write_bytes((tmp_path / "new.key").read_bytes())
    assert old.open(before.sealed, "x") == b"content"
    assert old.open(new.seal(b"other", "x"), "x") == b"other"
    assert old.open(before.sealed, "x") == b"content"
    assert new.open(old.seal(b"fresh", "x"), "x") == b"fresh", "sealed with what is there now"
