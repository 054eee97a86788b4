"""A config becomes the plain values of core."""

import os
import time
from datetime import time as clock_time
from ipaddress import ip_network
from pathlib import Path

import pytest

from relay.core.config import (
    Config,
    Limits,
    Listener,
    ListenerAuth,
    ListenerTls,
    LogConfig,
    LogFormat,
    MaildirUpstream,
    Security,
    SmtpHost,
    SmtpUpstream,
    StoreConfig,
    WebConfig,
)
from relay.core.policy.policy import EXEMPT
from relay.core.tenants.tenancy import Credential, DkimKey, MailClass, RouteId
from relay.settings.load import load_config, load_policy
from relay.settings.policies import shipped_policies_dir
from relay.settings.problems import ConfigProblems
from tests.harness.certs import Authority
from tests.unit.settings.told import CONFIG, POLICY, SECRET, edited

FULL = f"""\
hostname: Relay.Example.NET
store: {{url: "rediss://u:p@[::1]:6380/2", timeout: 500ms}}
data_dir: data
listeners:
  - address: "[::1]:2525"
  - address: "0.0.0.0:465"
    tls: implicit
    auth: required
    plaintext_auth: loopback
    proxy_from: [10.0.0.10/32, "fd00::/8"]
    certificate: tls/cert.pem
    key: /abs/key.pem
web: off
upstreams:
  out: {{url: "maildir:../mail"}}
  smart:
    url: [smtps://a.example, "smtp+starttls://b.example:2587"]
    username: ${{SMTP_USER}}
    password: file:secrets/smart
    ca_file: ca.pem
    verify: false
    pool: {{connections: 3, messages_per_connection: 7, idle: 5s, age: 1 min}}
    timeouts: {{connect: 1s, command: 2s, data: 3s, final: 4s}}
tenants:
  acme:
    credentials:
      - {{username: acme, secret: "{SECRET}", class: transactional}}
      - {{username: "acme@x.example", secret: file:secrets/acme}}
    networks: [192.0.2.1, "2001:db8::/32"]
    domains:
      Bücher.example:
        envelope_domains: [Bounce.Bücher.example]
        dkim: [{{selector: s1, key: dkim/s1.pem}}]
        routes: [{{upstream: smart, policy: mine}}]
      free.example: {{routes: [{{upstream: out, policy: exempt}}]}}
policies: [own, more]
limits:
  message_size: 10 MB
  memory: 64 MB
  recipients: 100
  connections: "${{CONNECTIONS}}"
  connections_per_address: 3
  errors: 4
  auth_failures_per_address: 8
  auth_failures_per_account: 9
  auth_window: 10s
  received: 30
  command_timeout: 5s
  data_timeout: 6s
  shutdown: 7s
log: {{level: debug, format: json, addresses: true}}
"""
ENV = {"SMTP_USER": "someone", "CONNECTIONS": "12"}


@pytest.fixture
def full(tmp_path) -> Path:
    folder = tmp_path / "etc"
    for name in ("own", "more", "secrets"):
        (folder / name).mkdir(parents=True)
    (folder / "secrets" / "smart").write_text("pass word\n")
    (folder / "secrets" / "acme").write_text(f"{SECRET}\n")
    Authority(folder)  # ca.pem
    (folder / "own" / "mine.yaml").write_text(edited(POLICY, "For tests", "lower"))
    (folder / "more" / "mine.yaml").write_text(edited(POLICY, "For tests", "upper"))
    (folder / "relay.yaml").touch(mode=0o600)  # the store's password stands in it
    (folder / "relay.yaml").write_text(FULL, encoding="utf-8")
    return folder / "relay.yaml"


def test_every_key_arrives(full):
    base = full.parent
    config = load_config(full, ENV)

    assert config.path == full
    assert config.hostname == "relay.example.net"
    assert config.store == StoreConfig("rediss://u:p@[::1]:6380/2", 0.5)
    assert config.data_dir == base / "data"
    assert config.listeners == (
        Listener("::1", 2525),
        Listener(
            "0.0.0.0",
            465,
            ListenerTls.IMPLICIT,
            ListenerAuth.REQUIRED,
            plaintext_auth=True,
            proxy_from=(ip_network("10.0.0.10/32"), ip_network("fd00::/8")),
            certificate=base / "tls/cert.pem",
            key=Path("/abs/key.pem"),
        ),
    )
    assert config.web is None
    assert config.upstreams["out"] == MaildirUpstream("out", base.parent / "mail")
    assert config.limits == Limits(10_000_000, 64_000_000, 100, 12, 3, 4, 8, 9, 10, 30, 5, 6, 7)
    assert config.log == LogConfig("debug", LogFormat.JSON, addresses=True)
    assert config.policy_directories == (base / "own", base / "more")


def test_an_smtp_upstream_arrives_with_its_login_on_every_host(full):
    smart = load_config(full, ENV).upstreams["smart"]

    assert smart == SmtpUpstream(
        name="smart",
        hosts=(
            SmtpHost("a.example", 465, Security.IMPLICIT, "someone", "pass word"),
            SmtpHost("b.example", 2587, Security.STARTTLS, "someone", "pass word"),
        ),
        ca_file=full.parent / "ca.pem",
        verify=False,
        connections=3,
        messages_per_connection=7,
        idle_s=5,
        age_s=60,
        connect_timeout_s=1,
        command_timeout_s=2,
        data_timeout_s=3,
        final_timeout_s=4,
    )


def test_tenants_arrive_with_their_domains_as_a_labels(full):
    directory = load_config(full, ENV).directory
    tenant = directory.tenants["acme"]
    domain = directory.domains["xn--bcher-kva.example"]

    assert tenant.credentials == (
        Credential("acme", SECRET, MailClass.TRANSACTIONAL),
        Credential("acme@x.example", SECRET),
    )
    assert tenant.networks == (ip_network("192.0.2.1/32"), ip_network("2001:db8::/32"))
    assert domain.envelope_domains == {"bounce.xn--bcher-kva.example"}
    assert domain.dkim == (DkimKey("s1", full.parent / "dkim/s1.pem"),)
    assert domain.routes[0].id == RouteId("xn--bcher-kva.example", "smart")
    assert directory.domains["free.example"].routes[0].policy is EXEMPT


def test_a_policy_of_a_later_directory_replaces_one_of_the_same_name(full):
    policy = load_config(full, ENV).directory.domains["xn--bcher-kva.example"].routes[0].policy

    assert policy.description == "upper"
    assert policy.path == str(full.parent / "more" / "mine.yaml")


def test_a_shipped_policy_can_be_replaced(full):
    name = "calendar-14-day.yaml"
    (full.parent / "own" / name).write_text(POLICY)
    full.write_text(edited(FULL, "policy: mine", "policy: calendar-14-day"))

    domain = load_config(full, ENV).directory.domains["xn--bcher-kva.example"]

    assert domain.routes[0].policy.description == "For tests"


@pytest.mark.parametrize("what", ["a file", "a link to nowhere", "a pipe"])
@pytest.mark.parametrize("policies", ["policies: [policies]\n", ""], ids=["named", "by default"])
def test_what_is_no_directory_of_policies_is_no_way_back_to_the_shipped_ones(
    tmp_path, what, policies
):
    place = tmp_path / "policies"
    if what == "a file":
        place.write_text(POLICY)
    elif what == "a link to nowhere":
        place.symlink_to("nowhere")
    else:
        os.mkfifo(place)
    path = tmp_path / "relay.yaml"
    path.write_text(CONFIG + policies)

    with pytest.raises(ConfigProblems, match='there is no directory "policies"'):
        load_config(path, {})

    place.unlink()
    assert load_config(path, {}).policies


def test_a_broken_policy_does_not_hide_behind_its_replacement(full):
    (full.parent / "own" / "mine.yaml").write_text("ramp:\n")
    with pytest.raises(ConfigProblems) as caught:
        load_config(full, ENV)

    assert {each.file for each in caught.value.problems} == {str(full.parent / "own/mine.yaml")}


def test_files_are_everything_that_was_read(full):
    base = full.parent
    files = load_config(full, ENV).files

    assert files[0] == full
    assert {base / "secrets/smart", base / "secrets/acme", base / "own/mine.yaml"} < set(files)


def test_a_missing_secret_file_is_among_the_files_to_wait_for(full):
    (full.parent / "secrets" / "acme").unlink()
    with pytest.raises(ConfigProblems) as caught:
        load_config(full, ENV)

    assert full.parent / "secrets/acme" in caught.value.files


def test_secrets_do_not_show(full):
    shown = repr(load_config(full, ENV))

    assert SECRET not in shown
    assert "pass word" not in shown
    assert "u:p@" not in shown


def test_what_is_left_out_has_the_defaults_of_core(tmp_path):
    path = tmp_path / "relay.yaml"
    path.write_text(
        "hostname: a.example\nlisteners: [{address: '127.0.0.1:25'}]\nupstreams: {}\ntenants: {}\n"
    )
    config = load_config(path, {})

    assert config == Config(
        path=path,
        hostname="a.example",
        data_dir=tmp_path / "var",
        listeners=(Listener("127.0.0.1", 25),),
        upstreams={},
        directory=config.directory,
        policy_directories=(tmp_path / "policies",),
        policies=config.policies,
        providers=config.providers,
        files=config.files,
    )
    assert config.directory.routes() == []


def test_web_and_embedded_store_arrive(tmp_path):
    path = tmp_path / "relay.yaml"
    path.write_text(CONFIG)
    config = load_config(path, {})

    assert config.web == WebConfig("127.0.0.1", 8025)
    assert config.store == StoreConfig()


def test_relative_paths_begin_at_the_file_wherever_the_process_is(tmp_path, monkeypatch):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "relay.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    config = load_config(Path("etc/relay.yaml"), {})

    assert config.path == tmp_path / "etc/relay.yaml"
    assert config.data_dir == tmp_path / "etc/var"


def test_a_problem_names_the_file_as_it_was_given(tmp_path, monkeypatch):
    (tmp_path / "relay.yaml").write_text("hostname: a.example\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigProblems, match=r"^relay\.yaml:1:1: "):
        load_config(Path("relay.yaml"), {})


def test_loading_twice_gives_the_same(full):
    assert load_config(full, ENV) == load_config(full, ENV)


def test_aliases_may_repeat_a_domain(tmp_path):
    text = edited(CONFIG, "[{upstream: smart, policy: exempt}]", "*routes")
    text = edited(
        text, "        routes:\n          - up", "        routes: &routes\n          - up"
    )
    (tmp_path / "relay.yaml").write_text(text)
    directory = load_config(tmp_path / "relay.yaml", {}).directory

    assert directory.domains["other.example"].routes[0].id.upstream == "outbound"


def test_ten_thousand_domains_load_in_a_few_seconds(tmp_path):
    domain = (
        "      d{0}.example:\n        envelope_domains: [b.d{0}.example]\n"
        "        dkim: [{{selector: s1, key: k{0}.pem}}]\n"
        "        routes: [{{upstream: outbound, policy: calendar-14-day}}]\n"
    )
    text = edited(
        CONFIG,
        "      other.example:\n",
        "".join(domain.format(number) for number in range(10_000)) + "      other.example:\n",
    )
    (tmp_path / "relay.yaml").write_text(text)
    started = time.process_time()
    config = load_config(tmp_path / "relay.yaml", {})

    assert len(config.directory.domains) == 10_002
    assert time.process_time() - started < 15


def test_a_policy_is_found_by_name_or_by_path(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        edited(POLICY, 'UTC, starts: "00:00"', 'Europe/Berlin, starts: "07:30"')
    )
    mine = load_policy("mine", [tmp_path, tmp_path / "nowhere"])

    assert mine == load_policy(str(tmp_path / "mine.yaml"))
    assert mine.window.zone == "Europe/Berlin"
    assert mine.window.starts == clock_time(7, 30)
    assert load_policy("calendar-14-day").path.startswith(str(shipped_policies_dir()))
    assert load_policy("exempt") is EXEMPT


def test_a_policy_that_is_not_there_is_told_with_the_nearest():
    with pytest.raises(ConfigProblems, match='did you mean "lifetime-tiers"'):
        load_policy("lifetime-teirs")
    with pytest.raises(ConfigProblems, match="there is no such file"):
        load_policy("./lifetime-tiers.yaml")


def test_a_policy_by_its_path_knows_the_providers_of_its_directory_and_no_others(tmp_path):
    (tmp_path / "mine.yaml").write_text(f"{POLICY}providers: {{gogle: {{share: 10%}}}}\n")
    for name in (str(tmp_path / "mine.yaml"), "mine"):
        with pytest.raises(
            ConfigProblems, match=r'unknown provider "gogle" \(did you mean "google"'
        ):
            load_policy(name, [tmp_path])

    own = "providers: {gogle: {description: ours, source: us, domains: [gogle.example]}}\n"
    (tmp_path / "providers.yaml").write_text(own)
    for name in (str(tmp_path / "mine.yaml"), "mine"):
        assert "gogle" in load_policy(name, [tmp_path]).providers
    assert "gogle" in load_policy(str(tmp_path / "mine.yaml")).providers


def test_another_broken_policy_is_no_reason_not_to_load_one(tmp_path):
    (tmp_path / "mine.yaml").write_text(POLICY)
    (tmp_path / "bad.yaml").write_text("x: 1\n")

    assert load_policy("mine", [tmp_path]).name == "mine"
    with pytest.raises(ConfigProblems, match=r"bad\.yaml:1:1: "):
        load_policy("bad", [tmp_path])


def test_what_an_editor_leaves_in_a_directory_is_no_policy(tmp_path):
    (tmp_path / "policies").mkdir()
    for name in (".mine.yaml.swp", ".#mine.yaml", ".hidden.yaml", "mine.yaml~", "README.md"):
        (tmp_path / "policies" / name).write_text("{{{")
    (tmp_path / "relay.yaml").write_text(CONFIG)

    assert load_config(tmp_path / "relay.yaml", {})
