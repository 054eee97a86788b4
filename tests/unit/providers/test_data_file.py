"""providers.yaml: what is in the shipped one, what is refused, how layers lie."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

import relay
from relay.core.providers import OTHER, RESERVED
from relay.settings.apart.here import ReaderHere
from relay.settings.folders import policy_files
from relay.settings.live import LiveSettings
from relay.settings.load import load_config
from relay.settings.policies import read_policies, shipped_policies_dir
from relay.settings.problems import ConfigProblems
from relay.settings.providers import ProviderSection, read_provider_file, read_providers
from relay.settings.watching import Watched
from tests.unit.settings.told import CONFIG, unmarked

ROOT = Path(relay.__file__).resolve().parents[1]
SHIPPED = read_providers([])
MINE = "providers: {acme: {domains: [acme.example], mx: [.mx.acme.example]}}\n"


# --- The shipped file


def test_the_shipped_file_has_no_problems():
    assert [str(problem) for problem in SHIPPED.problems] == []
    assert SHIPPED.files == [shipped_policies_dir() / "providers.yaml"]


@pytest.mark.parametrize("entry", SHIPPED.table.entries, ids=lambda entry: entry.name)
def test_a_shipped_provider_says_who_it_is_and_where_its_names_come_from_and_when(entry):
    assert entry.description
    assert re.search(r"\b20\d\d-\d\d-\d\d$", entry.source), entry.source
    assert entry.domains or entry.mx
    assert not entry.extends


@pytest.mark.parametrize(
    ("provider", "domains"),
    [
        ("google", "gmail.com googlemail.com"),
        ("microsoft", "outlook.com hotmail.com hotmail.co.uk live.nl msn.com outlook.fr"),
        ("yahoo", "yahoo.com yahoo.co.uk ymail.com rocketmail.com aol.com verizon.net yahoo.de"),
        ("yahoo-japan", "yahoo.co.jp"),
        ("apple", "icloud.com me.com mac.com"),
        ("gmx", "gmx.net gmx.de web.de mail.com"),
        ("mailru", "mail.ru list.ru bk.ru inbox.ru"),
        ("yandex", "yandex.ru ya.ru"),
        ("qq", "qq.com foxmail.com"),
        ("netease", "163.com 126.com yeah.net"),
        ("comcast", "comcast.net"),
        ("orange", "orange.fr wanadoo.fr"),
        ("proton", "proton.me protonmail.com"),
        ("t-online", "t-online.de"),
        ("libero", "libero.it"),
        ("laposte", "laposte.net"),
        ("free", "free.fr"),
        ("fastmail", "fastmail.com"),
        ("zoho", "zoho.com"),
    ],
)
def test_the_well_known_domains_are_known_by_name(provider, domains):
    assert {SHIPPED.table.by_domain(domain) for domain in domains.split()} == {provider}


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("aspmx.l.google.com", "google"),
        ("smtp.google.com", "google"),
        ("aspmx2.googlemail.com", "google"),
        ("mta7.am0.yahoodns.net", "yahoo"),
        ("mx-aol.mail.gm0.yahoodns.net", "yahoo"),
        ("mx1.mail.yahoo.co.jp", "yahoo-japan"),
        ("outlook-com.olc.protection.outlook.com", "microsoft"),
        ("acme-example.mail.protection.outlook.com", "microsoft365"),
        ("acme-example.a-v1.mx.microsoft", "microsoft365"),
        ("mx01.mail.icloud.com", "apple"),
        ("eu-smtp-inbound-1.mimecast.com", "mimecast"),
        ("za-smtp-inbound-1.mimecast.co.za", "mimecast"),
        ("mx00.gmx.net", "gmx"),
        ("mx-ha02.web.de", "gmx"),
        ("mx00.mail.com", "gmx"),
        ("d1234a.ess.barracudanetworks.com", "barracuda"),
        ("mxa-00360101.gslb.pphosted.com", "proofpoint"),
        ("mxbiz1.qq.com", "qq"),
        ("163mx01.mxmail.netease.com", "netease"),
        ("mxs.mail.ru", "mailru"),
        ("mx.yandex.net", "yandex"),
        ("in1-smtp.messagingengine.com", "fastmail"),
        ("inbound-smtp.eu-west-1.amazonaws.com", "amazon"),
        ("ec2-192-0-2-1.compute-1.amazonaws.com", None),
        ("mail.acme.example", None),
    ],
)
def test_the_well_known_hosts_are_known(host, provider):
    assert SHIPPED.table.by_mx([host]) == provider


def test_no_shipped_suffix_is_a_registry_s():
    patterns = [pattern for entry in SHIPPED.table.entries for pattern in entry.mx]
    registries = {".co.uk", ".co.za", ".com.au", ".co.jp", ".com.cn", ".com.br", ".ne.jp"}
    assert patterns
    assert registries.isdisjoint(patterns)


# --- It is no policy


def test_the_data_file_is_not_taken_for_a_policy(tmp_path):
    (tmp_path / "providers.yaml").write_text(MINE)
    assert policy_files(tmp_path) == []
    shelf = read_policies([tmp_path])
    assert "providers" not in shelf.names
    assert not shelf.problems


# --- What is refused

PROBLEMS = [
    ("providers: {}\n«provider: 1\n", 'unknown key "provider" (did you mean "providers"?)'),
    ("«{}\n", '"providers" is missing'),
    ("«[]\n", "must be a mapping"),
    ("providers: «no\n", "must be a mapping"),
    ("providers: {«other: {mx: [.a.example]}}\n", 'the provider name "other" is reserved'),
    ("providers: {«default: {mx: [.a.example]}}\n", 'the provider name "default" is reserved'),
    ("providers: {«Acme: {mx: [.a.example]}}\n", '"Acme" is not a provider name'),
    ("providers: {«a.b: {mx: [.a.example]}}\n", '"a.b" is not a provider name'),
    ("providers: {«a-: {mx: [.a.example]}}\n", '"a-" is not a provider name'),
    ("providers: {«a: {}}\n", '"a" has neither domains nor mx'),
    ("providers: {a: {mx: [.a.example], «domain: [b.example]}}\n", 'did you mean "domains"?'),
    ("providers: {a: {domains: [«hotmail.*]}}\n", '"hotmail.*" is not a domain name'),
    ("providers: {a: {domains: [«192.0.2.1]}}\n", '"192.0.2.1" is not a domain name'),
    ("providers: {a: {domains: «a.example}}\n", "must be a list"),
    ("providers: {a: {mx: [«.com]}}\n", '".com" is too wide'),
    ("providers: {a: {mx: [«..a.example]}}\n", "is not a domain name"),
    ("providers: {a: {mx: [«'*.a.example']}}\n", "is not a domain name"),
    (
        "providers:\n  a: {domains: [A.example]}\n  b: {domains: [«a.Example]}\n",
        'the domain "a.example" stands in line 2 already',
    ),
    (
        "providers: {a: {domains: [a.example, «a.example]}}\n",
        'the domain "a.example" stands in line 1 already',
    ),
    (
        "providers:\n  a: {mx: [.a.example]}\n  b: {mx: [«.a.example]}\n",
        'the pattern ".a.example" stands in line 2 already',
    ),
    ("providers: {a: {mx: [.a.example]}, «a: {mx: [.b.example]}}\n", 'duplicate key "a"'),
    (
        "providers: {gogle: {domains: [a.example], «extend: true}}\n",
        'there is no "gogle" below to extend (did you mean "google"?)',
    ),
]


@pytest.mark.parametrize(("text", "told"), PROBLEMS, ids=[told for _, told in PROBLEMS])
def test_a_problem_says_where_it_is_and_what_would_be_right(tmp_path, text, told):
    plain, places = unmarked(text)
    path = tmp_path / "providers.yaml"
    path.write_text(plain)
    providers, _, problems = read_provider_file(path, {"google"})
    assert providers == []
    assert [(problem.line, problem.column) for problem in problems] == places
    assert told in str(problems[0])


def test_all_problems_are_told_at_once(tmp_path):
    (tmp_path / "providers.yaml").write_text(
        "providers:\n  other: {mx: [.a.example]}\n  a: {domains: ['*']}\n  b: {}\n"
    )
    assert len(read_providers([tmp_path]).problems) == 3


def test_a_host_may_have_a_pattern_with_and_without_its_dot(tmp_path):
    path = tmp_path / "providers.yaml"
    path.write_text("providers: {a: {mx: [a.example]}, b: {mx: [.a.example]}}\n")
    assert read_provider_file(path)[-1] == []


# --- Layers and the config


@pytest.fixture
def config(tmp_path) -> Path:
    (tmp_path / "policies").mkdir()
    path = tmp_path / "relay.yaml"
    path.write_text(CONFIG)
    return path


def test_without_a_file_of_one_s_own_the_shipped_table_holds(config):
    loaded = load_config(config, {})
    assert loaded.providers == SHIPPED.table
    assert SHIPPED.files[0] in loaded.files


def test_a_file_of_one_s_own_lies_over_the_shipped_one(config):
    own = config.parent / "policies" / "providers.yaml"
    own.write_text(
        "providers:\n"
        "  acme: {domains: [ACME.example, gmail.com], mx: [.mx.acme.example]}\n"
        "  yahoo: {domains: [sky.com], extend: true}\n"
        "  apple: {domains: [icloud.com]}\n"
    )
    loaded = load_config(config, {})
    table = loaded.providers
    named = {name: table.by_domain(name) for name in ("acme.example", "gmail.com", "me.com")}
    assert named == {"acme.example": "acme", "gmail.com": "acme", "me.com": None}
    assert [table.by_domain(name) for name in ("sky.com", "aol.com")] == ["yahoo", "yahoo"]
    assert table.by_mx(["aspmx.l.google.com"]) == "google"
    assert table.claim("acme.example").path == str(own)
    assert own in loaded.files
    assert {"acme", "google", OTHER} <= table.names


def test_of_two_directories_the_later_one_wins(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        text = f"providers: {{{name}: {{domains: [a.example, {name}.example]}}}}\n"
        (tmp_path / name / "providers.yaml").write_text(text)
    table = read_providers([tmp_path / "one", tmp_path / "two"]).table
    assert [table.by_domain(f"{n}.example") for n in ("a", "one", "two")] == ["two", "one", "two"]


def test_a_bad_data_file_refuses_the_config_and_names_file_line_and_column(config):
    own = config.parent / "policies" / "providers.yaml"
    own.write_text("providers:\n  other: {mx: [.a.example]}\n")
    with pytest.raises(ConfigProblems, match=rf"^{own}:2:3: the provider name \"other\" is reserv"):
        load_config(config, {})


def test_an_edit_is_taken_over_and_a_bad_one_is_not(config):
    own = config.parent / "policies" / "providers.yaml"
    settings = LiveSettings.of(config, {}, ReaderHere())
    heard = []
    settings.subscribe(lambda new: heard.append(new.providers.by_domain("acme.example")))

    own.write_text(MINE)
    assert settings.reload() == []
    own.write_text(MINE.replace("acme:", "other:"))
    assert len(settings.reload()) == 1
    assert settings.failed
    assert settings.config.providers.by_domain("acme.example") == "acme"
    own.unlink()
    assert settings.reload() == []
    assert heard == ["acme", None]


def test_a_data_file_that_appears_changes_is_broken_or_goes_is_seen(config):
    own = config.parent / "policies" / "providers.yaml"
    loaded = load_config(config, {})
    watched = Watched(loaded.files, loaded.policy_directories)
    prints = [watched.fingerprint()]
    for text in (MINE, MINE + "# more\n", "providers: 1\n"):
        own.write_text(text)
        prints.append(watched.fingerprint())
    own.unlink()
    assert watched.fingerprint() == prints[0]
    assert len(set(prints)) == 4


async def test_a_running_relay_sees_the_edit(config):
    settings = LiveSettings.of(config, {}, ReaderHere())
    stop, seen = asyncio.Event(), asyncio.Event()
    settings.subscribe(lambda new: new.providers.by_domain("acme.example") and seen.set())
    async with asyncio.TaskGroup() as group:
        group.create_task(settings.watch(stop))
        await asyncio.sleep(0.3)
        (config.parent / "policies" / "providers.yaml").write_text(MINE)
        try:
            await asyncio.wait_for(seen.wait(), 10)
        finally:
            stop.set()


# --- The page


def test_the_page_names_every_key_and_every_shipped_provider():
    page = (ROOT / "docs" / "providers.md").read_text()
    keys = {f"`{name}`" for name in ProviderSection.model_fields}
    names = {f"`{entry.name}`" for entry in SHIPPED.table.entries}
    wanted = keys | names | {f"`{name}`" for name in RESERVED}
    assert {word for word in wanted if word not in page} == set()
