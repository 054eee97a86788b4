"""The generated files are those that the schema gives, and what they say works."""

import re
from pathlib import Path

import pytest

import relay
from relay.core.config import ListenerTls, MaildirUpstream, SmtpUpstream
from relay.core.tenants.tenancy import DkimKey
from relay.settings.load import load_config
from relay.settings.manual.__main__ import config_text, dkim_key_path, example_text, generated, main
from relay.settings.manual.example_text import section_in
from relay.settings.schema.policy import PolicySection
from relay.settings.schema.root import ConfigSection
from relay.settings.tokens import hash_token, new_token

ROOT = Path(relay.__file__).resolve().parents[1]


@pytest.mark.parametrize("name", sorted(generated()))
def test_a_generated_file_is_up_to_date(name):
    assert (ROOT / name).read_text(encoding="utf-8") == generated()[name], (
        "run `python -m relay.settings.manual`"
    )


def test_writing_and_checking(tmp_path, capsys):
    assert main(["--check"], tmp_path) == 1
    assert "relay.example.yaml is out of date" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())

    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0

    (tmp_path / "docs" / "policies.md").write_text("stale")
    assert main(["--check"], tmp_path) == 1


def test_the_example_is_that_of_the_design():
    config = load_config(ROOT / "relay.example.yaml", {})
    listener = config.listeners[0]
    tenant = config.directory.tenants["acme"]
    domain = config.directory.domains["news.acme.example"]

    assert (listener.name, listener.tls) == ("127.0.0.1:2525", ListenerTls.NONE)
    assert listener.plaintext_auth
    assert config.store.url is None
    assert (config.web.host, config.web.port) == ("127.0.0.1", 8025)
    assert isinstance(config.upstreams["outbound"], MaildirUpstream)
    assert [str(network) for network in tenant.networks] == ["127.0.0.0/8", "::1/128"]
    assert domain.envelope_domains == {"bounces.acme.example"}
    assert domain.dkim == (DkimKey("s1", ROOT / "var/dkim/news.acme.example.s1.pem"),)
    assert str(domain.routes[0].id) == "news.acme.example@outbound"
    assert domain.routes[0].policy.name == "calendar-14-day"


def _uncommented(text: str) -> str:
    """`#key: value` becomes a key; `# text` stays a comment."""
    lines = text.splitlines()
    return "\n".join(re.sub(r"^( *)#(?! \S|$)", r"\1", line) for line in lines) + "\n"


def test_every_line_that_is_commented_out_would_work(tmp_path):
    path = tmp_path / "relay.yaml"
    (tmp_path / "policies").mkdir()
    path.touch(mode=0o600)  # it has a password in it
    path.write_text(_uncommented(example_text()), encoding="utf-8")
    plain = load_config(ROOT / "relay.example.yaml", {})
    config = load_config(path, {})

    assert isinstance(config.upstreams["smarthost"], SmtpUpstream)
    assert config.directory.credentials["acme"]
    assert config.listeners[0].certificate
    assert config.limits == plain.limits
    assert config.log == plain.log


def _keys(section, seen=()):
    for name, field in section.model_fields.items():
        yield field.alias or name
        inner = section_in(field.annotation)
        if inner and inner not in seen:
            yield from _keys(inner, (*seen, inner))


def test_every_key_is_in_the_example_and_in_the_tables():
    keys = {
        *re.findall(r"^ *#? *(?:- )?([a-z_]+):", example_text(), re.MULTILINE),
    }

    in_a_comment = {"timeout: 2s", "wait_replicas: 0"}  # of the store
    assert set(_keys(ConfigSection)) - keys <= {pair.partition(":")[0] for pair in in_a_comment}
    assert all(pair in example_text() for pair in in_a_comment)
    for section, name in ((ConfigSection, "settings"), (PolicySection, "policies")):
        table = generated()[f"docs/{name}.md"]
        assert all(f"| `{key}` |" in table for key in _keys(section))


def test_every_key_has_a_description():
    def sections(section):
        yield section
        for field in section.model_fields.values():
            inner = section_in(field.annotation)
            if inner:
                yield from sections(inner)

    for top in (ConfigSection, PolicySection):
        for section in sections(top):
            for name, field in section.model_fields.items():
                assert field.description, f"{section.__name__}.{name}"
                assert field.description.endswith((".", '"[::1]:2525".')), name


@pytest.mark.parametrize("upstream", ["maildir:var/outbound", "smtps://u:p%40@mx.example"])
def test_a_config_for_another_domain_loads(tmp_path, upstream):
    path = tmp_path / "relay.yaml"
    secret = hash_token(new_token())
    path.touch(mode=0o600)
    path.write_text(
        config_text("xn--bcher-kva.example", secret=secret, upstream_url=upstream),
        encoding="utf-8",
    )
    config = load_config(path, {})
    domain = config.directory.domains["xn--bcher-kva.example"]

    assert config.directory.credentials["app"][0].secret == secret
    assert [key.selector for key in domain.dkim] == ["s1", "s2"]
    assert domain.dkim[1].path == tmp_path / dkim_key_path("xn--bcher-kva.example", "s2")
    assert "Generated from" not in path.read_text(encoding="utf-8")


def test_the_commented_lines_of_a_config_for_another_domain_would_work_too(tmp_path):
    text = config_text("a.example", secret=hash_token("x"), upstream_url="smtps://mx.example")
    (tmp_path / "policies").mkdir()
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "smarthost").write_text("p")
    (tmp_path / "relay.yaml").write_text(_uncommented(text), encoding="utf-8")

    assert load_config(tmp_path / "relay.yaml", {}).upstreams["outbound"].hosts[0].password == "p"


@pytest.mark.parametrize("value", ["no", "a: b", "5", "#x", "é", 'q"', "a\nb", "- a", "*a", "~"])
def test_strange_names_are_quoted(tmp_path, value):
    from relay.settings.findings import Findings
    from relay.settings.manual.example_text import yaml_text
    from relay.settings.yaml.files import parse_yaml

    assert parse_yaml(f"[{yaml_text(value)}]", Findings("f")).data == [value]
