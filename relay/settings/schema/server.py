"""The keys `listeners`, `web`, `store`, `limits` and `log` of relay.yaml."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from relay.core.config import (
    Limits,
    ListenerAuth,
    ListenerTls,
    LogConfig,
    LogFormat,
    StoreConfig,
    WebConfig,
)
from relay.settings.schema.fields import (
    Duration,
    Kind,
    Network,
    OptionalFilePath,
    Origin,
    Secret,
    Section,
    Size,
    SocketAddress,
    Truth,
    choice_text,
    one_of,
    whole,
)
from relay.settings.store_url import parse_store_url

_LIMITS = Limits()
_LOG = LogConfig()
_STORE = StoreConfig()
_WEB = WebConfig("", 0)


class PlaintextAuth(StrEnum):
    """Who may use AUTH without TLS."""

    NEVER = "never"
    LOOPBACK = "loopback"


class LogLevel(StrEnum):
    """The least that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class ListenerSection(Section):
    """One SMTP port that clients connect to."""

    address: SocketAddress = Field(
        description="Address and port to listen on. An IPv6 address stands in brackets and the "
        'whole in quotes: "[::1]:2525".',
        examples=['"127.0.0.1:2525"'],
    )
    tls: Annotated[ListenerTls, one_of(ListenerTls), Kind(choice_text(ListenerTls))] = Field(
        ListenerTls.NONE,
        description="none: no encryption. starttls: offered after EHLO (ports 25 and 587). "
        "implicit: from the first byte (port 465). The last two need certificate and key.",
    )
    auth: Annotated[ListenerAuth, one_of(ListenerAuth), Kind(choice_text(ListenerAuth))] = Field(
        ListenerAuth.OPTIONAL,
        description="none: AUTH is not offered, only the networks of tenants may send. "
        "optional: a credential or a network will do. required: always a credential.",
    )
    plaintext_auth: Annotated[
        PlaintextAuth, one_of(PlaintextAuth), Kind(choice_text(PlaintextAuth))
    ] = Field(
        PlaintextAuth.NEVER,
        description="loopback: programs on this very machine may use AUTH without TLS. "
        "never: nobody may.",
    )
    proxy_from: list[Network] = Field(
        default_factory=list,
        description="Networks of load balancers that send the PROXY protocol (v1 or v2). From "
        "there every connection must begin with it; from anywhere else none may.",
        examples=['["10.0.0.10/32"]'],
    )
    certificate: OptionalFilePath = Field(
        None,
        description="PEM file with the certificate and its chain.",
        examples=["/etc/ssl/certs/relay.pem"],
    )
    key: OptionalFilePath = Field(
        None,
        description="PEM file with the certificate's private key.",
        examples=["/etc/ssl/private/relay.pem"],
    )


class WebSection(Section):
    """Where the API, /metrics, /healthz and /readyz are, and what the API allows."""

    address: SocketAddress = Field(
        description="Address and port to listen on.", examples=['"127.0.0.1:8025"']
    )
    api: Truth = Field(
        _WEB.api,
        description="Whether the API is served, by a process of its own (some 85 MB). Without it, "
        "the relay itself answers /metrics, /healthz and /readyz.",
    )
    requests_per_minute: Annotated[int, *whole(1, 1_000_000)] = Field(
        _WEB.requests_per_minute,
        description="How often each token of the API may ask. A sixth of it may come at once.",
    )
    cors: list[Origin] = Field(
        default_factory=list,
        description="Origins whose pages may use the API from a browser. None by default.",
        examples=['["https://app.example.net"]'],
    )


class StoreSection(Section):
    """Where the counters are kept. A text in its place is the url."""

    url: Annotated[Secret, AfterValidator(parse_store_url)] = Field(
        "embedded",
        description="embedded, or the URL of a Redis or Valkey server: redis://, rediss:// "
        "(TLS) or unix://; of a cluster: redis+cluster://host:port,host:port; of a master that "
        "Sentinel watches: redis+sentinel://host:port,host:port/name. file:PATH reads it from "
        "a file. See docs/store.md.",
    )
    timeout: Duration = Field(
        _STORE.timeout_s,
        description="How long one answer may take. After it, mail is deferred (451).",
    )
    wait_replicas: Annotated[int, *whole(0, 10)] = Field(
        _STORE.wait_replicas,
        description="How many replicas have to acknowledge a charge before mail is forwarded. "
        "With 0, a failover may forget charges, and the cap may be passed by as many.",
    )

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"url": value} if isinstance(value, str) else value


class LimitsSection(Section):
    """What one client, and all of them, may use."""

    message_size: Size = Field(
        _LIMITS.message_bytes,
        description=(
            "Largest message, announced as SIZE. A message is in memory from DATA to the "
            "upstream's answer, and takes up to twice its size."
        ),
    )
    memory: Size = Field(
        _LIMITS.memory_bytes,
        description="How much of messages may be in memory at once, over all connections. A "
        "message for which there is no room is answered 452 and comes again; one is given as "
        "much as the others have left free, so that large ones wait long before small ones do. "
        "Three times message_size is the least that counts.",
    )
    recipients: Annotated[int, *whole(100, 100_000)] = Field(
        _LIMITS.recipients, description="Most recipients of one message; at least 100."
    )
    connections: Annotated[int, *whole(1)] = Field(
        _LIMITS.connections, description="Most client connections at once."
    )
    connections_per_address: Annotated[int, *whole(1)] = Field(
        _LIMITS.connections_per_address, description="Most connections at once from one address."
    )
    errors: Annotated[int, *whole(1)] = Field(
        _LIMITS.errors, description="A connection is closed after so many errors of the client."
    )
    auth_failures_per_address: Annotated[int, *whole(1)] = Field(
        _LIMITS.auth_failures_per_address,
        description="After so many wrong logins from one address (IPv6: one /64), over all its "
        "connections, further ones are answered 454 unseen until some have aged; not those to "
        "an account that this address has logged in to before. Each worker counts for itself.",
    )
    auth_failures_per_account: Annotated[int, *whole(1)] = Field(
        _LIMITS.auth_failures_per_account,
        description="The same for one user name, from whatever addresses.",
    )
    auth_window: Duration = Field(
        _LIMITS.auth_window_s,
        description="How long that many wrong logins take to be forgotten.",
    )
    received: Annotated[int, *whole(10, 1000)] = Field(
        _LIMITS.received, description="A message with more Received fields is a mail loop."
    )
    command_timeout: Duration = Field(
        _LIMITS.command_timeout_s, description="How long a client may take for its next command."
    )
    data_timeout: Duration = Field(
        _LIMITS.data_timeout_s, description="How long a client may be silent within a message."
    )
    shutdown: Duration = Field(
        _LIMITS.shutdown_s, description="How long messages under way may take when the relay stops."
    )
    added_domains: Annotated[int, *whole(0, 1_000_000)] = Field(
        _LIMITS.added_domains,
        description="Most domains that one tenant may have added over the API (docs/api.md); 0 "
        "turns that off.",
    )


class SecretsSection(Section):
    """What the relay keeps secrets with."""

    key_file: OptionalFilePath = Field(
        None,
        description="File with at least 32 random bytes (`openssl rand -base64 32`), the same on "
        "every node: the DKIM keys of domains that are added over the API are encrypted with it "
        "in the store. With the embedded store one is made in data_dir where none is named.",
        examples=["/etc/warmup-relay/sealing.key"],
    )


class LogSection(Section):
    """What is logged, and how."""

    level: Annotated[LogLevel, one_of(LogLevel), Kind(choice_text(LogLevel))] = Field(
        LogLevel(_LOG.level), description="The least that is logged."
    )
    format: Annotated[LogFormat, one_of(LogFormat), Kind(choice_text(LogFormat))] = Field(
        _LOG.format, description="auto is console on a terminal and json elsewhere."
    )
    addresses: Truth = Field(
        default=_LOG.addresses,
        description="Log envelope addresses. Without it, no log line names a person.",
    )
