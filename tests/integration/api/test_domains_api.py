"""Domains over HTTP: what is asked for, who may, what is refused and why, and what is noted."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from tests.harness.added import add, verify
from tests.harness.dns import DnsThread, fails
from tests.harness.relay_config import RelayConfig, calendar
from tests.harness.relay_process import RelayProcess
from tests.harness.waiting import until
from tests.harness.web_process import WebProcess

PROBLEM = "application/problem+json"
OVERFLOWS = calendar(5, excess="overflow")
_numbers = count()


@pytest.fixture(scope="module")
def dns():
    made = DnsThread()
    yield made
    made.end()


@pytest.fixture(scope="module")
def web(tmp_path_factory, dns):
    """A relay of two tenants and two upstreams; its token may read, send and manage for acme."""

    def domain(policy="ramp", **more):
        return {"routes": [{"upstream": "outbound", "policy": policy}]} | more

    tenants = {
        "acme": {"networks": ["127.0.0.0/8"], "domains": {"yaml.acme.example": domain()}},
        "globex": {
            "networks": ["10.9.0.0/16"],
            "domains": {"globex.example": domain(envelope_domains=["bounces.acme.example"])},
        },
    }
    outbound = {"outbound": {"url": "maildir:outbound"}, "spare": {"url": "maildir:spare"}}
    config = RelayConfig(
        api=True,
        policies={"ramp": calendar(5, 10, 20), "over": OVERFLOWS},
        more={
            "tenants": tenants,
            "upstreams": outbound,
            "nameservers": [dns.address],
            "limits": {"added_domains": 40},
        },
    )
    relay = RelayProcess(tmp_path_factory.mktemp("domains"), config)
    try:
        relay.start()
        made = WebProcess(relay, config.web_port)
        made.token = made.make_token("read", "send", "manage", name="tests")
        yield made
    finally:
        relay.end()


@pytest.fixture(scope="module")
def operator(web) -> str:
    return web.make_token("operator", tenant=None)


@pytest.fixture(scope="module")
def globex(web) -> str:
    return web.make_token("read", "send", "manage", tenant="globex")


@pytest.fixture
def name() -> str:
    return f"n{next(_numbers)}.acme.example"


ONE = {"upstream": "outbound"}


def test_what_is_answered_to_a_new_domain_and_what_to_publish(web, name):
    wanted = {"class": "transactional", "envelope_domains": [f"bounces.{name}"], **ONE}
    made = add(web, name.upper(), **wanted)
    records = made.pop("records")
    assert made.pop("created_at").endswith("Z")
    assert made.pop("created_by").startswith("token tests (")
    assert made == {
        "name": name,
        "tenant": "acme",
        "source": "api",
        "state": "pending",
        "reason": "not verified yet: its TXT record is looked for again and again",
        "class": "transactional",
        "envelope_domains": [f"bounces.{name}"],
        "routes": [{"upstream": "outbound", "policy": "ramp"}],
        "verified_at": None,
        "verified_by": "",
    }
    assert [r["purpose"] for r in records] == ["verification", "dkim", "dkim", "spf", "dmarc"]
    proof, rsa, ed25519, spf, dmarc = records
    assert proof["name"] == f"_warmup-relay.{name}."
    assert proof["value"].startswith("warmup-relay-verification=")
    assert rsa["value"].startswith("v=DKIM1; k=rsa; p=")
    assert ed25519["value"].startswith("v=DKIM1; k=ed25519; p=")
    assert rsa["name"].endswith(f"-rsa._domainkey.{name}.")
    assert "".join(rsa["strings"]) == rsa["value"]
    assert max(map(len, rsa["strings"])) <= 255
    assert (spf["name"], dmarc["name"]) == (f"{name}.", f"_dmarc.{name}.")


def test_an_internationalised_name_is_one_domain_however_it_is_written(web):
    made = add(web, "bücher.acme.example", **ONE)
    assert made["name"] == "xn--bcher-kva.acme.example"
    again = web.post("/api/domains", {"name": made["name"], "policy": "ramp", **ONE})
    assert again.status == 409


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"name": "no_domain.example"}, "name"),
        ({"name": "127.0.0.1"}, "name"),
        ({"name": "example"}, "name"),
        ({"name": "ａcme.example"}, "name"),
        ({"policy": "none-such"}, "routes.0.policy"),
        ({"upstream": "none-such"}, "routes.0.upstream"),
        ({"policy": None}, "policy"),
        ({"policy": "exempt"}, "routes.0.policy"),
        ({"upstream": None}, "upstream"),
        ({"envelope_domains": ["gmail.com"]}, "envelope_domains.0"),
        ({"envelope_domains": ["a b"]}, "envelope_domains.0"),
        ({"routes": [{"upstream": "spare", "policy": "ramp"}]}, "routes"),
        (
            {
                "policy": None,
                "upstream": None,
                "routes": [
                    {"upstream": "outbound", "policy": "ramp"},
                    {"upstream": "spare", "policy": "ramp"},
                ],
            },
            "routes.1",
        ),
        (
            {
                "policy": None,
                "upstream": None,
                "routes": [
                    {"upstream": "outbound", "policy": "over"},
                    {"upstream": "outbound", "policy": "ramp"},
                ],
            },
            "routes.1.upstream",
        ),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_with_its_field(web, name, wanted, field):
    content = {"name": name, "policy": "ramp", **ONE} | wanted
    answer = web.post("/api/domains", content)
    assert (answer.status, answer.headers["content-type"]) == (422, PROBLEM), answer
    assert answer.json["field"] == field
    assert answer.json["detail"]
    assert web.get(f"/api/domains/{name}").status == 404


def test_a_name_that_is_taken_is_refused_and_tells_nothing_of_whose_it_is(web, globex, name):
    add(web, name, **ONE)
    mine = web.post("/api/domains", {"name": name, "policy": "ramp", **ONE})
    theirs = web.post("/api/domains", {"name": name, "policy": "ramp", **ONE}, token=globex)
    assert (mine.status, theirs.status) == (409, 409)
    assert theirs.json["detail"] == f"{name} is there already"
    own = web.post("/api/domains", {"name": "yaml.acme.example", "policy": "ramp", **ONE})
    assert (own.status, "relay.yaml" in own.json["detail"]) == (409, True)
    configured = {"name": "yaml.acme.example", "policy": "ramp", **ONE}
    other = web.post("/api/domains", configured, token=globex)
    assert (other.status, other.json["detail"]) == (409, "yaml.acme.example is there already")
    envelope = web.post("/api/domains", {"name": "bounces.acme.example", "policy": "ramp", **ONE})
    assert envelope.status == 409


def test_a_domain_of_another_tenant_is_an_unknown_one(web, globex, operator, name):
    add(web, name, **ONE)
    for method, path, content in (
        ("GET", "", None),
        ("PATCH", "", {"policy": "over"}),
        ("DELETE", "", None),
        ("POST", "/verify", None),
    ):
        for domain in (name, "nobody.acme.example", "yaml.acme.example"):
            answer = web.ask(method, f"/api/domains/{domain}{path}", content, token=globex)
            assert answer.status == 404, (method, domain)
            assert answer.json["detail"] == f"there is no domain '{domain}'"
    seen = web.get("/api/domains?limit=200", token=globex).json["data"]
    assert [each["name"] for each in seen] == ["globex.example"]
    assert web.get(f"/api/domains/{name}", token=operator).json["tenant"] == "acme"


SCOPES = [
    ("GET", "/api/domains", None, {"read", "manage", "operator"}),
    ("GET", "/api/domains/{name}", None, {"read", "manage", "operator"}),
    ("POST", "/api/domains", {"policy": "ramp", **ONE}, {"manage", "operator"}),
    ("PATCH", "/api/domains/{name}", {"policy": "over"}, {"manage", "operator"}),
    ("POST", "/api/domains/{name}/verify", None, {"manage", "operator"}),
    ("POST", "/api/domains/{name}/approve", None, {"operator"}),
    ("DELETE", "/api/domains/{name}", None, {"manage", "operator"}),
]


@pytest.fixture(scope="module")
def by_scope(web, operator):
    made = {scope: web.make_token(scope) for scope in ("read", "send", "manage")}
    return made | {"operator": operator}


@pytest.mark.parametrize(
    ("method", "path", "content", "allowed"),
    SCOPES,
    ids=[f"{each[0]} {each[1]}" for each in SCOPES],
)
def test_every_route_asks_for_its_scope(web, by_scope, method, path, content, allowed):
    for scope, token in by_scope.items():
        held, new = f"s{next(_numbers)}.acme.example", f"s{next(_numbers)}.acme.example"
        add(web, held, **ONE)
        told = content
        if path == "/api/domains" and method == "POST":
            told = content | {"name": new} | ({"tenant": "acme"} if scope == "operator" else {})
        answer = web.ask(method, path.format(name=held), told, token=token)
        assert (answer.status == 403) == (scope not in allowed), (scope, answer)
        assert answer.status in {200, 201, 403, 409}, (scope, answer)
        for made in (held, new):
            web.ask("DELETE", f"/api/domains/{made}")


def test_without_a_token_no_domain_is_told(web):
    assert web.get("/api/domains", token="").status == 401


def test_operators_name_the_tenant_and_others_only_their_own(web, operator, name):
    wanted = {"name": name, "policy": "exempt", **ONE}
    assert web.post("/api/domains", wanted, token=operator).json["field"] == "tenant"
    unknown = web.post("/api/domains", wanted | {"tenant": "none-such"}, token=operator)
    assert (unknown.status, unknown.json["field"]) == (422, "tenant")
    assert web.post("/api/domains", wanted | {"tenant": "globex"}).status == 403
    made = web.post("/api/domains", wanted | {"tenant": "globex"}, token=operator)
    assert (made.status, made.json["tenant"]) == (201, "globex")
    assert web.ask("DELETE", f"/api/domains/{name}", token=operator).status == 200


def test_a_list_is_paged_and_filtered_and_has_those_of_the_config(web):
    for _ in range(3):
        add(web, f"p{next(_numbers)}.paged.example", **ONE)
    found, after = [], ""
    for _ in range(60):
        told = web.get(f"/api/domains?limit=2{after}").json
        found += [each["name"] for each in told["data"]]
        if told["next"] is None:
            break
        after = f"&after={told['next']}"
    assert found == sorted(set(found))
    assert "yaml.acme.example" in found
    [configured] = web.get("/api/domains?source=config").json["data"]
    assert (configured["name"], configured["state"]) == ("yaml.acme.example", "active")
    assert len(web.get("/api/domains?domain=p").json["data"]) == 3
    assert all(e["state"] == "pending" for e in web.get("/api/domains?state=pending").json["data"])


def test_one_domain_has_an_etag_that_changes_with_it(web, name):
    add(web, name, **ONE)
    first = web.get(f"/api/domains/{name}")
    again = web.get(f"/api/domains/{name}", if_none_match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert web.ask("PATCH", f"/api/domains/{name}", {"class": "marketing"}).status == 200
    changed = web.get(f"/api/domains/{name}", if_none_match=first.headers["etag"])
    assert (changed.status, changed.json["class"]) == (200, "marketing")


def test_with_if_match_nobody_elses_change_is_lost(web, name):
    add(web, name, **ONE)
    path = f"/api/domains/{name}"
    tag = web.get(path).headers["etag"]
    changed = web.ask("PATCH", path, {"class": "marketing"}, if_match=tag)
    assert (changed.status, changed.headers["etag"]) == (200, web.get(path).headers["etag"])
    for late in (tag, "", '"none-such"', f"W/{changed.headers['etag']}"):
        for method, content in (("PATCH", {"class": None}), ("DELETE", None)):
            refused = web.ask(method, path, content, if_match=late)
            assert (refused.status, refused.json["title"]) == (412, "Precondition Failed")
            assert refused.headers["content-type"] == PROBLEM
    assert web.get(path).json["class"] == "marketing"
    assert web.ask("PATCH", path, {"class": None}, if_match="*").status == 200
    listed = f'"x", {web.get(path).headers["etag"]}'
    assert web.ask("DELETE", path, if_match=listed).status == 200
    assert web.ask("DELETE", path, if_match=listed).status == 404


def test_of_changes_at_once_with_one_etag_one_is_made(web, name):
    tag = add(web, name, **ONE) and web.get(f"/api/domains/{name}").headers["etag"]

    def change(number: int) -> int:
        wanted = {"envelope_domains": [f"e{number}.{name}"]}
        return web.ask("PATCH", f"/api/domains/{name}", wanted, if_match=tag).status

    with ThreadPoolExecutor(8) as pool:
        codes = Counter(pool.map(change, range(8)))
    assert codes == {200: 1, 412: 7}
    assert len(web.get(f"/api/audit?subject={name}").json["data"]) == 2, "added, changed once"


def test_a_change_leaves_what_it_does_not_name(web, name):
    add(web, name, **ONE, **{"class": "transactional"})
    several = [
        {"upstream": "outbound", "policy": "over"},
        {"upstream": "spare", "policy": "ramp"},
    ]
    one = web.ask("PATCH", f"/api/domains/{name}", {"upstream": "spare"}).json
    assert one["routes"] == [{"upstream": "spare", "policy": "ramp"}]
    two = web.ask("PATCH", f"/api/domains/{name}", {"routes": several}).json
    assert (two["routes"], two["class"]) == (several, "transactional")
    unclear = web.ask("PATCH", f"/api/domains/{name}", {"policy": "ramp"})
    assert (unclear.status, unclear.json["field"]) == (422, "routes")
    bad = web.ask("PATCH", f"/api/domains/{name}", {"class": None, "envelope_domains": ["x.com"]})
    assert (bad.status, bad.json["field"]) == (422, "envelope_domains.0")
    assert web.get(f"/api/domains/{name}").json["class"] == "transactional", "all of it or nothing"
    assert web.ask("PATCH", f"/api/domains/{name}", {"class": None}).json["class"] is None


def test_a_domain_of_the_config_is_read_only_here(web):
    assert web.get("/api/domains/yaml.acme.example").json["source"] == "config"
    for method, path, content in (
        ("PATCH", "", {"policy": "over"}),
        ("DELETE", "", None),
        ("POST", "/verify", None),
    ):
        answer = web.ask(method, f"/api/domains/yaml.acme.example{path}", content)
        assert answer.status == 409
        assert "relay.yaml, at tenants.acme.domains" in answer.json["detail"]


def test_an_operator_may_approve_and_the_audit_log_says_who_did_what(web, operator, name):
    add(web, name, reason="a new brand", **ONE)
    done = web.post(f"/api/domains/{name}/approve", {"reason": "known to us"}, token=operator)
    assert (done.status, done.json["state"]) == (200, "active")
    until(lambda: web.get(f"/api/warmup/status/{name}").status == 200, "the route")
    assert web.post("/api/emails", _mail(name)).status == 200
    web.ask("DELETE", f"/api/domains/{name}?reason=moved")
    assert web.post("/api/emails", _mail(name)).status == 403
    log = web.get(f"/api/audit?subject={name}").json["data"]
    assert [each["action"] for each in log] == ["remove domain", "approve domain", "add domain"]
    assert [each["reason"] for each in log] == ["moved", "known to us", "a new brand"]
    assert [each["before"].get("state") for each in log] == ["active", "pending", None]
    assert log[0]["after"] == {}
    assert "sealed" not in str(log)
    assert "PRIVATE" not in str(log)


def _mail(domain):
    return {"from": f"a@{domain}", "to": "b@rcpt.example", "subject": "s", "text": "t"}


def test_the_class_of_a_domain_counts_where_nothing_else_names_one(web, dns, name):
    made = add(web, name, **ONE, **{"class": "transactional"})
    assert verify(web, dns, made).status == 200
    assert web.post("/api/emails", _mail(name)).status == 200

    def classes() -> list[str]:
        lines = [each for each in web.relay.log_lines() if each.get("domain") == name]
        return [each["class"] for each in lines if each.get("event") == "message"]

    until(classes, "the line of the log")
    assert classes() == ["transactional"]


def test_a_dns_that_does_not_answer_is_told_apart_from_a_missing_record(web, dns, name):
    made = add(web, name, **ONE)
    record = made["records"][0]["name"].removesuffix(".")
    dns.server.scripts[record, "TXT"] = fails()
    away = web.post(f"/api/domains/{name}/verify")
    assert (away.status, "the DNS did not answer" in away.json["detail"]) == (503, True)
    assert web.get(f"/api/domains/{name}").json["state"] == "pending"


def test_a_record_is_found_without_anybody_asking(web, dns, name):
    made = add(web, name, **ONE)
    dns.publish(made["records"])
    until(lambda: web.get(f"/api/domains/{name}").json["state"] == "active", "it", timeout_s=45)

    def actors() -> list[str]:
        log = web.get(f"/api/audit?subject={name}").json["data"]
        return [each["actor"] for each in log if each["action"] == "verify domain"]

    until(actors, "the note of it")
    assert actors() == ["the relay, which looked"]


def test_a_post_with_a_key_is_made_once(web, name):
    content = {"name": name, "policy": "ramp", **ONE}
    first = web.post("/api/domains", content, idempotency_key="d1")
    again = web.post("/api/domains", content, idempotency_key="d1")
    assert (first.status, again.status, again.body) == (201, 201, first.body)
    assert again.headers["idempotent-replayed"] == "true"


def test_a_tenant_has_so_many_domains_and_no_more(web, globex):
    made = []
    for _ in range(41):
        name = f"m{next(_numbers)}.globex.example"
        answer = web.post("/api/domains", {"name": name, "policy": "ramp", **ONE}, token=globex)
        made.append(answer.status)
    assert made == [201] * 40 + [409]
    assert "limits.added_domains" in answer.json["detail"]
    first = web.get("/api/domains?source=api&limit=1", token=globex).json["data"][0]["name"]
    assert web.ask("DELETE", f"/api/domains/{first}", token=globex).status == 200
    name = f"m{next(_numbers)}.globex.example"
    answer = web.post("/api/domains", {"name": name, "policy": "ramp", **ONE}, token=globex)
    assert answer.status == 201
