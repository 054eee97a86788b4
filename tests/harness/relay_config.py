"""A relay.yaml and its policies, written into a directory of their own.

The defaults are the smallest relay that forwards: one listener in clear on loopback, one
tenant that may send from loopback, one domain, one policy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.harness.ports import free_port

DOMAIN = "news.acme.example"
LOOPBACK = "127.0.0.0/8"
UNLIMITED = "unlimited"


def calendar(*caps: int | str, **more: Any) -> dict[str, Any]:
    """A policy with one cap for each calendar day; the last one stays."""
    tiers = [{"from": day, "cap": cap} for day, cap in enumerate(caps)]
    ramp = {"advance": "calendar-days", "tiers": tiers}
    return {"description": "made by a test", "source": "a test", "ramp": ramp} | more


def lifetime(*tiers: tuple[int, int | str]) -> dict[str, Any]:
    """A policy whose cap rises with lifetime sends: pairs of threshold and cap."""
    rows = [{"from": start, "cap": cap} for start, cap in tiers]
    ramp = {"advance": "lifetime-sends", "tiers": rows}
    return {"description": "made by a test", "source": "a test", "ramp": ramp}


@dataclass
class RelayConfig:
    """What a test wants of its relay; whatever it leaves out has a plain default.

    `domains` gives each domain its policy's name, or the whole mapping of the config.
    `listeners` leave out the address, which is filled in. `more` is merged in at the top.
    """

    upstream: str | dict[str, Any] = "maildir:outbound"
    policies: dict[str, dict[str, Any]] = field(default_factory=lambda: {"ramp": calendar(100)})
    domains: dict[str, Any] = field(default_factory=lambda: {DOMAIN: "ramp"})
    store: str = "embedded"
    listeners: list[dict[str, Any]] = field(default_factory=lambda: [{"tls": "none"}])
    tenant: dict[str, Any] = field(default_factory=lambda: {"networks": [LOOPBACK]})
    more: dict[str, Any] = field(default_factory=dict)
    smtp_ports: list[int] = field(default_factory=list)
    web_port: int = 0
    api: bool = False

    def __post_init__(self) -> None:
        self.smtp_ports = self.smtp_ports or [free_port() for _ in self.listeners]
        self.web_port = self.web_port or free_port()

    def write(self, home: Path) -> Path:
        """Write relay.yaml and policies/ into `home`; gives the path of relay.yaml."""
        (home / "policies").mkdir(parents=True, exist_ok=True)
        for name, policy in self.policies.items():
            self.write_policy(home, name, policy)
        path = home / "relay.yaml"
        path.touch(mode=0o600)  # it may hold an upstream's password
        path.write_text(yaml.safe_dump(self._document(), sort_keys=False))
        return path

    def write_policy(self, home: Path, name: str, policy: dict[str, Any] | str) -> None:
        """Write, or edit, one policy; a string is written as it is."""
        text = policy if isinstance(policy, str) else yaml.safe_dump(policy, sort_keys=False)
        (home / "policies" / f"{name}.yaml").write_text(text)

    def _document(self) -> dict[str, Any]:
        upstream = self.upstream if isinstance(self.upstream, dict) else {"url": self.upstream}
        document = {
            "hostname": "relay.example.net",
            "store": self.store,
            "data_dir": "var",
            "listeners": [
                {"address": f"127.0.0.1:{port}", **listener}
                for port, listener in zip(self.smtp_ports, self.listeners, strict=True)
            ],
            "web": {"address": f"127.0.0.1:{self.web_port}", "api": self.api},
            "upstreams": {"outbound": upstream},
            "tenants": {"acme": self.tenant | {"domains": self._domains()}},
            "policies": ["policies"],
        }
        return document | self.more

    def _domains(self) -> dict[str, Any]:
        return {
            name: {"routes": [{"upstream": "outbound", "policy": wanted}]}
            if isinstance(wanted, str)
            else {"routes": [{"upstream": "outbound", "policy": "ramp"}]} | wanted
            for name, wanted in self.domains.items()
        }
