"""What the example config says, and the config that `init` writes for a domain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from relay.settings.manual.example_text import Bare, Off, section_text
from relay.settings.schema.root import ConfigSection

_HEAD: Final = """\
# The settings of warmup-relay. Every key is here: those that are commented out stand with
# their default or an example. docs/settings.md has the same as tables.
#
# This is YAML 1.2: no, on and 12:30 are text. Durations have units (30s, 5 min, 2h), and so may
# sizes (25 MiB, 10MB). Paths are relative to this file. ${NAME} in any value is taken from the
# environment ($${ is a plain ${); file:PATH reads a secret from a file. An edit is taken over at
# once; a bad one is refused whole, and the running relay keeps the old settings. Changes of
# hostname, store, data_dir, listeners, web, workers, secrets, nameservers, limits and log need a
# restart.
"""
_GENERATED: Final = """\
#
# Generated from relay/settings/schema by `python -m relay.settings.manual`.
"""
_SMARTHOST: Final = Off(
    url=["smtp+starttls://smarthost.example.net:587", "smtps://backup.example.net:465"],
    username="relay",
    password="change me, or file:PATH",  # noqa: S106 - the example's  # nosec B106
    ca_file="/etc/ssl/certs/ca-certificates.crt",
    verify=None,
    pool=None,
    timeouts=None,
)


def example_text() -> str:
    """relay.example.yaml."""
    acme: dict[str, Any] = {
        "networks": ["127.0.0.0/8", "::1/128"],
        "domains": {
            "news.acme.example": _domain("news.acme.example", ("s1",), ["bounces.acme.example"])
        },
    }
    return _text(_HEAD + _GENERATED, _config("relay.example.net", {"acme": acme}))


def config_text(
    domain: str,
    *,
    secret: str,
    hostname: str = "relay.example.net",
    tenant: str = "main",
    username: str = "app",
    selectors: Sequence[str] = ("s1", "s2"),
    upstream_url: str = "maildir:var/outbound",
    policy: str = "calendar-14-day",
) -> str:
    """A documented relay.yaml for `domain` (A-label), with one credential.

    `secret` is what `tokens.hash_token` gave. The DKIM keys are expected at
    `dkim_key_path(domain, selector)`. An upstream that is not a maildir gets every key.
    """
    inner: dict[str, Any] = {
        "credentials": [{"username": username, "secret": secret}],
        "domains": {domain: _domain(domain, selectors, [], policy)},
    }
    return _text(_HEAD, _config(hostname, {tenant: inner}, upstream_url))


def dkim_key_path(domain: str, selector: str) -> str:
    """Where a domain's key is, relative to the config file."""
    return f"var/dkim/{domain}.{selector}.pem"


def _text(head: str, values: dict[str, Any]) -> str:
    lines = section_text(ConfigSection, values, spaced=True)
    return head + "\n".join(lines).rstrip() + "\n"


def _config(
    hostname: str, tenants: dict[str, Any], upstream_url: str = "maildir:var/outbound"
) -> dict[str, Any]:
    outbound: dict[str, Any] = {"url": upstream_url}
    is_maildir = upstream_url.startswith("maildir:")
    upstreams = {"outbound": Bare(outbound), "smarthost": _SMARTHOST}
    return {
        "hostname": hostname,
        "store": "embedded",
        "data_dir": "var",
        "listeners": [
            {
                "address": "127.0.0.1:2525",
                "tls": "none",
                "auth": "optional",
                "plaintext_auth": "loopback",
            }
        ],
        "web": {"address": "127.0.0.1:8025"},
        "upstreams": upstreams if is_maildir else {"outbound": outbound},
        "tenants": tenants,
        "policies": ["policies"],
    }


def _domain(
    domain: str,
    selectors: Sequence[str],
    envelope_domains: list[str],
    policy: str = "calendar-14-day",
) -> dict[str, Any]:
    values: dict[str, Any] = {
        "dkim": [
            {"selector": selector, "key": dkim_key_path(domain, selector)} for selector in selectors
        ],
        "routes": [{"upstream": "outbound", "policy": policy}],
    }
    return {"envelope_domains": envelope_domains, **values} if envelope_domains else values
