"""What is done for each domain of a config, where there are very many."""

from dataclasses import replace

import pytest

from relay.cli import checking
from relay.cli.checking import check_offline
from relay.core.tenants.tenancy import DkimKey, SendingDomain, Tenant, directory_of
from relay.settings.load import load_config
from relay.signing import at_start as keys_at_start
from relay.signing.at_start import make_missing_keys
from relay.signing.generate import KeyKind, generate_key
from tests.contract.world import fresh_route, policy
from tests.unit.settings.told import CONFIG


@pytest.fixture
def config(tmp_path):
    """Four domains whose keys are below the data directory, and missing."""
    path = tmp_path / "relay.yaml"
    path.write_text(CONFIG)
    read = load_config(path, {})
    routes = [fresh_route(policy((0, 9))) for _ in range(4)]
    domains = [
        SendingDomain(
            route.id.domain, "acme", (route,), dkim=(DkimKey("s1", read.data_dir / f"{n}.pem"),)
        )
        for n, route in enumerate(routes)
    ]
    return replace(read, directory=directory_of([Tenant("acme", domains=tuple(domains))]))


def test_one_start_makes_some_of_the_missing_keys_and_the_next_goes_on(config, monkeypatch):
    monkeypatch.setattr(keys_at_start, "MOST_MADE", 3)

    make_missing_keys(config)
    assert sorted(path.name for path in config.data_dir.iterdir()) == ["0.pem", "1.pem", "2.pem"]
    make_missing_keys(config)
    assert (config.data_dir / "3.pem").exists()


def test_a_check_of_many_domains_tells_only_what_is_wrong(config, monkeypatch):
    for number in range(3):
        generate_key(config.data_dir / f"{number}.pem", KeyKind.RSA)
    (config.data_dir / "3.pem").write_bytes(b"?")
    (config.data_dir / "3.pem").chmod(0o600)
    few = [found.part for found in check_offline(config) if found.part.startswith("dkim")]
    monkeypatch.setattr(checking, "MOST_TOLD", 3)

    found = check_offline(config)

    assert len(few) == 4
    assert [one.is_fine for one in found if one.part.startswith("dkim")] == [False]
    assert "4 looked at; 1 things to mend" in [one.says for one in found]
