"""One relay and one API for a module: starting both takes seconds. Tests share no domain."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from tests.harness.relay_config import RelayConfig, calendar
from tests.harness.relay_process import RelayProcess
from tests.harness.web_process import WebProcess

DOMAINS = 60
_numbers = count()


def domain_named(number: int) -> str:
    return f"d{number:02}.acme.example"


@pytest.fixture(scope="module")
def relay(tmp_path_factory) -> Iterator[RelayProcess]:
    """Two tenants; sixty domains of acme's with 5 a day, one of globex's, one exempt."""
    globex = {
        "networks": ["10.9.0.0/16"],
        "domains": {"globex.example": {"routes": [{"upstream": "outbound", "policy": "ramp"}]}},
    }
    acme = {"networks": ["127.0.0.0/8"]}
    route = {"routes": [{"upstream": "outbound", "policy": "ramp"}]}
    exempt = {"routes": [{"upstream": "outbound", "policy": "exempt"}]}
    domains = {domain_named(n): route for n in range(DOMAINS)} | {"exempt.acme.example": exempt}
    config = RelayConfig(
        policies={"ramp": calendar(5, 10, 20)},
        more={"tenants": {"acme": acme | {"domains": domains}, "globex": globex}},
    )
    made = RelayProcess(tmp_path_factory.mktemp("api"), config)
    try:
        yield made.start()
    finally:
        made.end()


@pytest.fixture(scope="module")
def web(relay) -> Iterator[WebProcess]:
    """The API; its token may read, send and manage for acme."""
    made = WebProcess(relay)
    try:
        made.start()
        made.token = made.make_token("read", "send", "manage", name="tests")
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def operator(web) -> str:
    return web.make_token("operator", tenant=None)


@pytest.fixture(scope="module")
def globex(web) -> str:
    return web.make_token("read", "send", "manage", tenant="globex")


@pytest.fixture
def domain() -> str:
    """One that no other test of the module has used; the last is left to the test that names it."""
    return domain_named(next(_numbers) % (DOMAINS - 1))
