"""The config in force, as plain values: what `settings/` makes of one relay.yaml.

Rooms take the part that concerns them; nobody but `settings/` knows YAML or file positions.
Durations are seconds (`_s`), sizes are bytes (`_bytes`). Paths are absolute.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from relay.core.policy.policy import Policy
from relay.core.providers import ProviderTable
from relay.core.sources import Sources
from relay.core.tenants.tenancy import Directory, IPNetwork


class ListenerTls(StrEnum):
    """`none`, `starttls` (offered, RFC 3207) or `implicit` (RFC 8314)."""

    NONE = "none"
    STARTTLS = "starttls"
    IMPLICIT = "implicit"


class ListenerAuth(StrEnum):
    """`none`: not offered; `optional`: a tenant's network will do; `required`: always needed."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Listener:
    """One listening SMTP socket.

    `plaintext_auth` allows AUTH without TLS for clients on loopback addresses only.
    `proxy_from`: connections from these networks must begin with a PROXY header; from
    anywhere else none is accepted. Empty: PROXY protocol is off.
    """

    host: str
    port: int
    tls: ListenerTls = ListenerTls.NONE
    auth: ListenerAuth = ListenerAuth.OPTIONAL
    plaintext_auth: bool = False
    proxy_from: tuple[IPNetwork, ...] = ()
    certificate: Path | None = None
    key: Path | None = None

    @property
    def name(self) -> str:
        """host:port, the label of `relay_connections`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client, and all of them, may use.

    `added_domains`: how many domains one tenant may have added over the API.
    """

    message_bytes: int = 26_214_400
    memory_bytes: int = 1_073_741_824
    recipients: int = 1000
    connections: int = 5000
    connections_per_address: int = 1000
    errors: int = 20
    auth_failures_per_address: int = 50
    auth_failures_per_account: int = 100
    auth_window_s: float = 900.0
    received: int = 100
    command_timeout_s: float = 300.0
    data_timeout_s: float = 180.0
    shutdown_s: float = 30.0
    added_domains: int = 1000


class Security(StrEnum):
    """How a connection to an upstream is encrypted.

    `smtp://` is `none`, `smtp+starttls://` is `starttls` (required), `smtp+opportunistic://`
    takes STARTTLS where it is offered, `smtps://` is `implicit`.
    """

    NONE = "none"
    STARTTLS = "starttls"
    OPPORTUNISTIC = "opportunistic"
    IMPLICIT = "implicit"


@dataclass(frozen=True, slots=True)
class SmtpHost:
    """One host of an SMTP upstream; they are tried in order."""

    host: str
    port: int
    security: Security
    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SmtpUpstream:
    """An upstream reached by SMTP, and the bounds of its pool.

    `ca_file` replaces the system's certificate authorities; `verify` checks chain and name.
    `idle_s` and `age_s` end a connection that has been unused, or open, that long.
    """

    name: str
    hosts: tuple[SmtpHost, ...]
    ca_file: Path | None = None
    verify: bool = True
    connections: int = 20
    messages_per_connection: int = 1000
    idle_s: float = 30.0
    age_s: float = 600.0
    connect_timeout_s: float = 15.0
    command_timeout_s: float = 60.0
    data_timeout_s: float = 180.0
    final_timeout_s: float = 300.0


@dataclass(frozen=True, slots=True)
class MaildirUpstream:
    """An upstream that is a maildir on disk, for trying things out and for tests."""

    name: str
    path: Path


UpstreamConfig = SmtpUpstream | MaildirUpstream


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """`url` is None for the embedded store.

    `wait_replicas`: how many replicas have to acknowledge a charge before it counts as made.
    """

    url: str | None = field(default=None, repr=False)
    timeout_s: float = 2.0
    wait_replicas: int = 0


@dataclass(frozen=True, slots=True)
class SecretsConfig:
    """`key_file` holds the secret that private keys in the store are sealed with."""

    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class WebConfig:
    """Where HTTP is; None in `Config.web` turns it off.

    `api`: whether `serve` starts the web process. `requests_per_minute` is for each token,
    `cors` the origins whose pages may use the API.
    """

    host: str
    port: int
    requests_per_minute: int = 1200
    cors: tuple[str, ...] = ()
    api: bool = True


class LogFormat(StrEnum):
    """`auto` is console on a terminal, else JSON."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class LogConfig:
    """`addresses` puts envelope addresses into the log, which else never name a person."""

    level: str = "info"
    format: LogFormat = LogFormat.AUTO
    addresses: bool = False


MOST_WORKERS = 64
"""Worker processes of one relay; beyond that the machine is not what is short."""


@dataclass(frozen=True, slots=True)
class Config:
    """One relay.yaml. `files` is every file it was read from, for the watcher.

    `policies` are all that could be used, by name, also those that no route has; without
    the built-in `exempt`. `nameservers`: address and port; none are those of the system.
    `sources` is where it says so; two configs that differ in nothing else are the same.
    """

    path: Path
    hostname: str
    data_dir: Path
    listeners: tuple[Listener, ...]
    upstreams: dict[str, UpstreamConfig]
    directory: Directory
    store: StoreConfig = field(default_factory=StoreConfig)
    web: WebConfig | None = None
    workers: int = 1
    limits: Limits = field(default_factory=Limits)
    log: LogConfig = field(default_factory=LogConfig)
    policy_directories: tuple[Path, ...] = ()
    policies: dict[str, Policy] = field(default_factory=dict)
    secrets: SecretsConfig = field(default_factory=SecretsConfig)
    nameservers: tuple[tuple[str, int], ...] = ()
    providers: ProviderTable = field(default_factory=ProviderTable)
    files: tuple[Path, ...] = ()
    sources: Sources = field(default_factory=Sources, compare=False, repr=False)

    @property
    def sealing_file(self) -> Path | None:
        """The file of the secret for keys in the store; None where the config has to name one.

        The embedded store has one reader, so its relay may make a file of its own beside it.
        """
        if self.secrets.key_file is not None or self.store.url is not None:
            return self.secrets.key_file
        return self.data_dir / "sealing.key"
