"""Tokens, routes, changes and the audit log over HTTP."""

from __future__ import annotations

import socket
from contextlib import suppress

import pytest

from tests.harness.waiting import until
from tests.integration.api.test_domains_api import SCOPES

PROBLEM = "application/problem+json"


def email(domain, **more):
    return {"from": f"a@{domain}", "to": "b@rcpt.example", "subject": "s", "text": "t"} | more


def pages(web, path, **more):
    """Every item of a paged list."""
    found, cursor, mark = [], "", "after" if "warmup" in path else "before"
    for _ in range(100):
        told = web.get(f"{path}{'&' if '?' in path else '?'}{cursor}", **more).json
        found += told["data"]
        if told["next"] is None:
            return found
        cursor = f"{mark}={told['next']}"
    raise AssertionError("the pages do not end")


# Tokens.


def test_without_a_token_nothing_is_told(web):
    answer = web.get("/api/warmup", token="")
    assert (answer.status, answer.headers["content-type"]) == (401, PROBLEM)
    assert answer.headers["www-authenticate"] == "Bearer"
    wrong = web.get("/api/warmup", token="wrk_x_y")
    assert (wrong.status, wrong.headers["www-authenticate"]) == (
        401,
        'Bearer error="invalid_token"',
    )


def test_a_revoked_token_is_refused_at_once_and_its_use_is_noted(web, relay):
    made = relay.cli("token", "create", "--tenant", "acme", "--scope", "read", "--json").json
    assert web.get("/api/warmup?limit=1", token=made["token"]).status == 200
    [listed] = [t for t in relay.cli("token", "list", "--json").json if t["id"] == made["id"]]
    assert listed["last_used_at"]
    assert relay.cli("token", "revoke", made["id"]).exit == 0
    assert web.get("/api/warmup?limit=1", token=made["token"]).status == 401


ROUTES = {
    ("GET", "/api/warmup"): "read",
    ("GET", "/api/warmup/status/{mine}"): "read",
    ("GET", "/api/audit"): "read",
    ("POST", "/api/warmup/start"): "manage",
    ("POST", "/api/warmup/pause/{mine}"): "manage",
    ("POST", "/api/warmup/resume/{mine}"): "manage",
    ("POST", "/api/warmup/graduate/{mine}"): "manage",
    ("POST", "/api/warmup/restart/{mine}"): "manage",
    ("POST", "/api/emails"): "send",
    ("POST", "/api/emails/batch"): "send",
}
ALLOWS = {
    "read": {"read"},
    "send": {"send"},
    "manage": {"read", "manage"},
    "operator": {"read", "manage"},
}


@pytest.fixture(scope="module")
def by_scope(web, operator):
    made = {scope: web.make_token(scope) for scope in ("read", "send", "manage")}
    return made | {"operator": operator}


@pytest.mark.parametrize(("route", "needed"), ROUTES.items(), ids=str)
def test_every_route_asks_for_its_scope(web, by_scope, domain, route, needed):
    method, path = route[0], route[1].format(mine=domain)
    contents = {
        "/api/warmup/start": {"domain": domain},
        "/api/emails": email(domain),
        "/api/emails/batch": [email(domain)],
    }
    for scope, token in by_scope.items():
        answer = web.ask(method, path, contents.get(path), token=token)
        refused = answer.status == 403
        assert refused == (needed not in ALLOWS[scope]), (scope, answer)
        assert refused or answer.status in {200, 201, 409}, (scope, answer)


def test_the_matrix_has_every_route_that_the_document_tells_of(web):
    paths = web.get("/api/openapi.json", token="").json["paths"]
    told = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    known = {(method, path.replace("{mine}", "{id}")) for method, path in ROUTES}
    known |= {(method, path) for method, path, *_ in SCOPES} | {("GET", "/api/stream")}
    assert told == known


def test_a_body_in_a_coding_is_415_as_the_document_says_of_every_change(web, domain):
    paths = web.get("/api/openapi.json", token="").json["paths"]
    told = [(m.upper(), path, each) for path, of in paths.items() for m, each in of.items()]
    assert all("500" in each["responses"] for _, _, each in told)
    changes = [(*asked, each) for *asked, each in told if asked[0] != "GET"]
    for method, path, each in changes:
        at = path.replace("{id}", domain).replace("{name}", domain)
        assert web.ask(method, at, b"x", content_encoding="gzip").status == 415
        assert "415" in each["responses"], (method, path)


def test_the_stream_asks_for_its_scope_too(web, by_scope):
    assert web.get("/api/stream", token=by_scope["send"]).status == 403


def test_another_tenants_routes_do_not_exist(web, globex, operator, domain):
    for verb in ("pause", "resume", "graduate", "restart"):
        assert web.post(f"/api/warmup/{verb}/{domain}", token=globex).status == 404
    assert web.get(f"/api/warmup/status/{domain}", token=globex).status == 404
    assert web.post("/api/warmup/start", {"domain": domain}, token=globex).status == 404
    assert [r["id"] for r in pages(web, "/api/warmup", token=globex)] == ["globex.example"]
    assert web.get("/api/warmup?tenant=acme", token=globex).json["data"] == []
    assert web.get("/api/audit?tenant=acme", token=globex).json["data"] == []
    assert web.post("/api/emails", email(domain), token=globex).status == 403
    assert web.get("/api/warmup/status/globex.example", token=operator).status == 200


# Lists and status.


def test_a_list_is_paged_without_loss_or_repeat(web):
    found = [r["id"] for r in pages(web, "/api/warmup?limit=7")]
    assert len(found) == 61
    assert found == sorted(set(found))
    assert "globex.example" not in found


def test_a_list_is_filtered_by_domain_tenant_and_state(web, operator):
    assert [r["id"] for r in pages(web, "/api/warmup?domain=exem")] == ["exempt.acme.example"]
    both = pages(web, "/api/warmup?tenant=globex", token=operator)
    assert [r["tenant"] for r in both] == ["globex"]
    exempt = pages(web, "/api/warmup?state=exempt&limit=1")
    assert [r["id"] for r in exempt] == ["exempt.acme.example"]
    assert web.get("/api/warmup?state=tired").status == 422


def test_a_status_is_that_of_the_command_line_and_has_an_etag(web, relay, domain):
    first = web.get(f"/api/warmup/status/{domain}")
    told = relay.status(domain)
    assert {name: first.json[name] for name in told} == told
    again = web.get(f"/api/warmup/status/{domain}", if_none_match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert web.post("/api/emails", email(domain)).status == 200
    changed = web.get(f"/api/warmup/status/{domain}", if_none_match=first.headers["etag"])
    assert changed.status == 200
    assert (changed.json["state"], changed.json["emails_sent_today"]) == ("warming", 1)
    assert web.get(f"/api/warmup/status/{domain}@outbound").json == changed.json
    assert web.get("/api/warmup/status/nobody.example").status == 404
    assert web.get("/api/warmup/status/no_domain").status == 404


def test_a_list_that_is_as_it_was_costs_no_body(web, domain):
    path = f"/api/warmup?domain={domain}"
    first = web.get(path)
    assert first.headers["cache-control"] == "private, no-cache"
    for known in (first.headers["etag"], f'"x", W/{first.headers["etag"]}', "*"):
        again = web.get(path, if_none_match=known)
        assert (again.status, again.body, again.headers["etag"]) == (
            304, b"", first.headers["etag"],
        )  # fmt: skip
    assert web.get(path, if_none_match='"x"').status == 200
    web.post(f"/api/warmup/pause/{domain}")
    changed = web.get(path, if_none_match=first.headers["etag"])
    assert (changed.status, changed.json["data"][0]["state"]) == (200, "paused")


# Changes.


def test_a_start_is_made_once(web, domain):
    made = web.post("/api/warmup/start", {"domain": domain, "policy": "ramp"})
    assert (made.status, made.json["state"]) == (201, "pending")
    again = web.post("/api/warmup/start", {"domain": domain})
    assert (again.status, again.headers["content-type"]) == (409, PROBLEM)
    assert "was started already" in again.json["detail"]


def test_a_start_with_another_policy_or_of_nothing_is_refused(web, domain):
    other = web.post("/api/warmup/start", {"domain": domain, "policy": "gentle"})
    assert (other.status, "has the policy ramp" in other.json["detail"]) == (409, True)
    assert web.post("/api/warmup/start", {"domain": "nobody.example"}).status == 404
    assert web.post("/api/warmup/start", {"domain": domain, "speed": 2}).status == 422
    assert web.post("/api/warmup/start", {"domain": domain, "upstream": "no"}).status == 404


def test_the_four_changes_and_what_the_audit_log_says_of_them(web, relay, domain):
    for verb, state in (
        ("pause", "paused"),
        ("resume", "pending"),
        ("graduate", "warmed"),
        ("restart", "pending"),
    ):
        done = web.post(f"/api/warmup/{verb}/{domain}", {"reason": f"why {verb}"})
        assert (done.status, done.json["state"]) == (200, state), done
        assert web.get(f"/api/warmup/status/{domain}").json["state"] == state
    assert relay.cli("pause", domain, "--reason", "by hand").exit == 0
    refused = web.post(f"/api/warmup/pause/{domain}")
    assert (refused.status, "was paused already" in refused.json["detail"]) == (409, True)
    log = pages(web, f"/api/audit?limit=2&subject={domain}@outbound")
    assert [each["action"] for each in log] == ["pause", "restart", "graduate", "resume", "pause"]
    assert log[0]["actor"].startswith("command line")
    assert log[1]["actor"].startswith("token tests (")
    assert (log[4]["reason"], log[4]["before"]["state"], log[4]["after"]["state"]) == (
        "why pause", "pending", "paused",
    )  # fmt: skip
    assert log[4]["at"].endswith("Z")


def test_a_change_is_heard_by_smtp_at_once(web, domain):
    web.post(f"/api/warmup/pause/{domain}", {"reason": "list check"})
    answer = web.post("/api/emails", email(domain))
    assert (answer.status, "retry-after" in answer.headers) == (429, False)
    assert "paused: list check" in answer.json["message"]


# Once.


def test_a_change_with_a_key_is_made_once_and_answered_alike(web, domain):
    first = web.post(f"/api/warmup/pause/{domain}", {"reason": "x"}, idempotency_key="k1")
    again = web.post(f"/api/warmup/pause/{domain}", {"reason": "x"}, idempotency_key="k1")
    assert (first.status, again.status, again.body) == (200, 200, first.body)
    assert again.headers["idempotent-replayed"] == "true"
    reader = web.make_token("read")
    seen = web.post(
        f"/api/warmup/pause/{domain}", {"reason": "x"}, idempotency_key="k1", token=reader
    )
    assert seen.status == 403, "what it may not ask it is not told either"
    other = web.post(f"/api/warmup/pause/{domain}", {"reason": "y"}, idempotency_key="k1")
    assert other.status == 422


def test_a_refusal_is_not_remembered(web, domain):
    assert web.post(f"/api/warmup/resume/{domain}", idempotency_key="k2").status == 409
    web.post(f"/api/warmup/pause/{domain}")
    assert web.post(f"/api/warmup/resume/{domain}", idempotency_key="k2").status == 200


def test_keys_are_a_tenants_own(web, globex, domain):
    assert web.post(f"/api/warmup/pause/{domain}", idempotency_key="k3").status == 200
    other = web.post(f"/api/warmup/pause/{domain}", idempotency_key="k3", token=globex)
    assert other.status == 404


@pytest.mark.parametrize("key", ["", "x" * 256, "with space"])
def test_a_key_that_is_none_is_refused(web, domain, key):
    assert web.post(f"/api/warmup/pause/{domain}", idempotency_key=key).status == 422


# What else HTTP is.


def test_the_web_passes_on_what_the_relay_tells_of_itself(web, relay):
    assert web.get("/healthz", token="").json == {"status": "ok"}
    assert web.get("/readyz", token="").json["status"] == "ready"
    text = web.get("/metrics", token="").body
    assert b"relay_store_up 1.0" in text
    assert b"relay_domains 62.0" in text
    assert b"relay_quota_cap{" not in text  # the relay's to tell
    assert web.post("/metrics", token="").status == 405
    assert web.get("/elsewhere", token="").status == 404


def test_errors_are_problem_details(web, domain):
    for answer, status in (
        (web.get("/api/nothing"), 404),
        (web.ask("DELETE", "/api/warmup"), 405),
        (web.post(f"/api/warmup/pause/{domain}", b"{", content_type="application/json"), 422),
        (web.post(f"/api/warmup/pause/{domain}", {"reason": "a\u2028b"}), 422),
        (web.post("/api/emails", b"x", content_type="text/plain"), 415),
        (web.post("/api/emails", b"x" * 10, content_length="99999999999"), 413),
    ):
        assert (answer.status, answer.headers["content-type"]) == (status, PROBLEM)
        assert answer.json["status"] == status
        assert answer.json["detail"]


def test_an_exempt_route_that_is_paused_may_be_resumed_only(web):
    at = "/api/warmup/{}/exempt.acme.example"
    assert web.post(at.format("pause")).json["may"] == ["resume"]
    for verb in ("graduate", "restart"):
        answer = web.post(at.format(verb))
        assert (answer.status, "there is no ramp" in answer.json["detail"]) == (409, True)
    assert web.post(at.format("resume")).json["state"] == "exempt"


@pytest.mark.parametrize("begins", [b"GET /api/warmup?x=", b"GET /api/warmup HTTP/1.1\r\nX: "])
def test_a_head_that_does_not_end_is_cut_off(web, begins):
    with socket.create_connection(("127.0.0.1", web.port), timeout=20) as client:
        client.sendall(begins)
        answer = b""
        with suppress(OSError):  # it hangs up while we still talk
            for _ in range(64):
                client.sendall(b"x" * 16_384)
            answer = client.recv(100)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
        client.settimeout(20)
        with suppress(ConnectionError):
            while client.recv(65_536):  # to its end, or the time-out fails the test
                pass


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx"]
)
def test_json_that_is_not_said_to_be_json_is_told_so(web, domain, kind):
    headers = {"content_type": kind} if kind else {}
    for method, path, content in (
        ("POST", f"/api/warmup/pause/{domain}", b'{"reason": "x"}'),
        ("POST", "/api/warmup/start", b'{"domain": "a.example"}'),
        ("POST", "/api/domains", b'{"name": "a.example"}'),
        ("PATCH", "/api/domains/a.example", b'{"class": null}'),
    ):
        answer = web.ask(method, path, content, **headers)
        assert (answer.status, answer.json["detail"]) == (415, "send application/json"), path
    assert web.get(f"/api/warmup/status/{domain}").json["state"] == "pending"


def test_json_that_is_broken_is_told_so_with_its_place(web):
    broken = b'{"domain": }'
    answer = web.ask("POST", "/api/warmup/start", broken, content_type="application/json")
    told = "Invalid JSON: Expecting value at character 12"
    assert (answer.status, answer.json["detail"]) == (422, told)


def test_head_is_get_without_a_body(web, domain):
    files = ("/healthz", "/static/app.css")
    for path in ("/api/warmup", f"/api/warmup/status/{domain}", "/api/audit", "/api/docs", *files):
        got, head = web.get(path), web.ask("HEAD", path)
        kept = ("content-type", "content-length", "etag")
        assert (head.status, head.body) == (200, b"")
        assert [head.headers.get(name) for name in kept] == [got.headers.get(name) for name in kept]
    status = f"/api/warmup/status/{domain}"
    tag = web.get(status).headers["etag"]
    assert web.ask("HEAD", status, if_none_match=tag).status == 304
    assert web.ask("HEAD", status, token="none-such").status == 401
    assert web.ask("DELETE", status).headers["allow"] == "GET, HEAD"
    refused = web.ask("HEAD", "/api/emails")
    assert (refused.status, refused.headers["allow"]) == (405, "POST")
    assert web.ask("HEAD", "/api/stream").status == 405


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/domains", "GET, HEAD, POST"),
        ("/api/domains/a.example", "DELETE, GET, HEAD, PATCH"),
        ("/api/domains/a.example/verify", "POST"),
        ("/api/emails/batch", "POST"),
        ("/api/stream", "GET"),
    ],
)
def test_a_405_names_every_method_of_the_address(web, path, methods):
    refused = web.ask("PUT", path)
    assert (refused.status, refused.headers["allow"]) == (405, methods)


def test_no_browser_of_another_origin_may_read_the_api(web):
    answer = web.get("/api/warmup", origin="https://evil.example")
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert answer.headers["x-content-type-options"] == "nosniff"
    asked = {"origin": "https://evil.example", "access_control_request_method": "POST"}
    preflight = web.ask("OPTIONS", "/api/emails", token="", **asked)
    assert preflight.status == 401
    assert not [name for name in preflight.headers if name.startswith("access-control")]


def test_the_docs_are_a_page_without_scripts(web):
    answer = web.get("/api/docs", token="")
    assert answer.status == 200
    assert b"<script" not in answer.body
    assert b"/api/warmup/pause/{id}" in answer.body
    assert "script-src" not in answer.headers["content-security-policy"]


def test_a_route_that_another_process_changed_is_seen(web, relay, domain):
    assert relay.cli("graduate", domain, "--yes").exit == 0
    until(lambda: web.get(f"/api/warmup/status/{domain}").json["state"] == "warmed", "the change")
