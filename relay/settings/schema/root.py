"""The keys of relay.yaml: the whole, and what stands at its root.

Descriptions are the manual (`settings/manual`), defaults those of `relay.core.config`. What spans
several keys is `settings/checks`.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from relay.core.config import MOST_WORKERS
from relay.settings.problems import Wrong, shown
from relay.settings.schema.fields import (
    Domain,
    FilePath,
    Name,
    NameserverAddress,
    Section,
    whole,
)
from relay.settings.schema.server import (
    LimitsSection,
    ListenerSection,
    LogSection,
    SecretsSection,
    StoreSection,
    WebSection,
)
from relay.settings.schema.tenant import TenantSection
from relay.settings.schema.upstream import UpstreamSection

DEFAULT_POLICIES: Final = "policies"


def _off(value: object) -> object:
    if value == "off":
        return None
    if not isinstance(value, dict):
        raise Wrong(f"{shown(value)} is neither off nor {{address: host:port}}")
    return value


class ConfigSection(Section):
    """relay.yaml."""

    hostname: Domain = Field(
        description="The name by which the relay greets, and which it writes into Received "
        "headers. Best the name that this machine's address resolves to.",
        examples=["relay.example.net"],
    )
    store: StoreSection = Field(
        default_factory=StoreSection,
        description="Where the counters are kept. embedded: a private server started by the "
        "relay, with its data in data_dir. Several relays share one Redis or Valkey server by "
        "its URL: redis://, rediss:// (TLS) or unix://, or a cluster or what Sentinel watches "
        "(docs/store.md). {url: …, timeout: 2s, wait_replicas: 0} sets all.",
    )
    data_dir: FilePath = Field(
        "var",
        description="Directory for the embedded store; relative to this file, like all paths.",
    )
    listeners: list[ListenerSection] = Field(
        min_length=1, description="The SMTP ports that clients connect to."
    )
    web: Annotated[WebSection | None, BeforeValidator(_off)] = Field(
        None, description="Where /metrics, /healthz and /readyz are, or off (which is the default)."
    )
    workers: Annotated[int, *whole(1, MOST_WORKERS)] = Field(
        1,
        description="How many processes take mail, best one for each processor core. With more "
        "than 1 a supervisor starts them, and starts again what dies; limits and upstream "
        "connections are divided among them (docs/scaling.md).",
    )
    upstreams: dict[Name, UpstreamSection] = Field(
        description="The servers that mail is handed to, by a name of your choice."
    )
    tenants: dict[Name, TenantSection] = Field(
        description="Who may send what: the customers of the relay, by a name of your choice."
    )
    policies: list[FilePath] = Field(
        default_factory=lambda: [DEFAULT_POLICIES],
        description="Directories with policies (one .yaml file each). They are laid over the "
        "policies that come with the relay; a file in a later directory replaces one of the "
        "same name.",
    )
    secrets: SecretsSection = Field(
        default_factory=SecretsSection, description="What the relay keeps secrets with."
    )
    nameservers: list[NameserverAddress] = Field(
        default_factory=list,
        description="DNS servers to ask, for MX records and for the verification of added "
        "domains: address:port. None: those of the system.",
        examples=['["127.0.0.1:53"]'],
    )
    limits: LimitsSection = Field(
        default_factory=LimitsSection, description="What one client, and all of them, may use."
    )
    log: LogSection = Field(default_factory=LogSection, description="What is logged, and how.")
