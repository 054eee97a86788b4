"""Plain questions are answered as the routes would have answered them, to the byte."""

from __future__ import annotations

from itertools import product

import pytest

from relay.core.errors import StoreTrouble
from relay.core.tenants.access import ApiToken, Scope
from relay.core.tenants.audit import AuditEntry
from relay.web.api.quick import Quick
from relay.web.asgi import problem
from tests.corpus import DOMAIN
from tests.fuzz.api_site import Built, ask, build
from tests.unit.edge.recording import NOW

PLAIN = (
    f"/api/warmup/status/{DOMAIN}",
    f"/api/warmup/status/{DOMAIN}@warm",
    "/api/warmup/status/evil.example",
    "/api/warmup/status/there-is.none",
    "/api/warmup/status/-",
    "/api/warmup?limit=1",
    "/api/warmup?limit=50",
    "/api/audit?limit=1",
    "/api/audit?limit=200",
    "/api/warmup",
    "/api/warmup?",
    "/api/audit",
)
OTHER = (
    f"/api/warmup/status/{DOMAIN}?limit=1",
    f"/api/warmup/status/{DOMAIN.upper()}",
    f"/api/warmup/status/{DOMAIN}%0A",
    f"/api/warmup/status/{DOMAIN}%2Fx",
    "/api/warmup/status/%C3%A9.example",
    "/api/warmup/status/",
    "/api/warmup/status",
    "/api/warmup/",
    "/api/warmup?limit=0",
    "/api/warmup?limit=201",
    "/api/warmup?limit=01",
    "/api/warmup?limit=%31",
    "/api/warmup?limit=1&limit=2",
    "/api/warmup?limit=1&after=x",
    "/api/audit?limit=x",
    "/api/audit?limit=1&before=0",
    "/api/audit/",
)


def token(*scopes: Scope, tenant: str | None = "acme") -> ApiToken:
    return ApiToken("t", tenant, frozenset(scopes), "", NOW)


BEARERS = {
    "reader": token(Scope.READ),
    "manager": token(Scope.MANAGE),
    "sender": token(Scope.SEND),
    "other tenant": token(Scope.READ, tenant="evil"),
    "operator": token(Scope.OPERATOR, tenant=None),
}


@pytest.fixture(scope="module")
def built() -> Built:
    made = build()
    entries = [
        AuditEntry(f"id{n}", NOW, "somebody", "pause", "acme", "é@x", "", {"n": [n]}, {})
        for n in range(3)
    ]
    made.notes.entries += entries
    return made


def quick_of(built: Built) -> Quick:
    found = built.app.api
    while not isinstance(found, Quick):
        found = found.inside
    return found


async def asked(app, target: str, bearer: ApiToken, *known: bytes, method: str = "GET"):
    async def with_bearer(scope, receive, send):
        scope["state"]["bearer"] = bearer
        await app(scope, receive, send)

    headers = [(b"if-none-match", each) for each in known]
    found = await ask(with_bearer, method, target.encode(), headers, b"")
    return found.status, sorted(found.headers), found.body


@pytest.mark.parametrize("target", PLAIN + OTHER)
async def test_the_answer_is_that_of_the_routes(built, target):
    quick = quick_of(built)
    for name, bearer in BEARERS.items():
        assert await asked(quick, target, bearer) == await asked(quick.inside, target, bearer), name


@pytest.mark.parametrize("target", [PLAIN[0], PLAIN[6], "/api/warmup"])
async def test_what_is_known_already_is_304_as_there(built, target):
    quick, reader = quick_of(built), BEARERS["reader"]
    _, headers, _ = await asked(quick, target, reader)
    tag = dict(headers)[b"etag"]
    tags = (tag, b"W/" + tag, b'"x", ' + tag, b"*", b'"x"', b"")
    for known in (*product(tags), (b'"x"', tag)):
        found = await asked(quick, target, reader, *known)
        assert found == await asked(quick.inside, target, reader, *known)
        assert found[0] == (304 if tag in b",".join(known) or b"*" in known else 200)


async def _nobody(_scope, _receive, send):
    await problem(418, "Teapot", "the routes were asked").send(send)


async def test_only_plain_questions_of_those_who_may_ask_do_without_the_routes(built):
    quick = Quick(_nobody, quick_of(built).desk)
    for target in PLAIN:
        assert (await asked(quick, target, BEARERS["reader"]))[0] != 418
        assert (await asked(quick, target, BEARERS["sender"]))[0] == 418
        for method in ("HEAD", "POST", "OPTIONS"):
            assert (await asked(quick, target, BEARERS["reader"], method=method))[0] == 418
    for target in OTHER:
        assert (await asked(quick, target, BEARERS["reader"]))[0] == 418


async def test_a_store_that_is_away_is_told_as_the_routes_tell_it(built, monkeypatch):
    async def away(*_words):
        raise StoreTrouble

    monkeypatch.setattr(built.store, "standings", away)
    quick, target = quick_of(built), PLAIN[0]
    found = await asked(quick, target, BEARERS["reader"])
    assert found == await asked(quick.inside, target, BEARERS["reader"])
    assert found[0] == 503


async def test_what_nobody_expected_is_500_without_internals(built, monkeypatch, caplog):
    async def broken(*_words):
        raise RuntimeError("secret")

    monkeypatch.setattr(built.store, "standings", broken)
    status, _, body = await asked(quick_of(built), PLAIN[0], BEARERS["reader"])
    assert status == 500
    assert b"secret" not in body
    assert "secret" in caplog.text
