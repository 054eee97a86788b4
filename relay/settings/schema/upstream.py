"""The key `upstreams` of relay.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from relay.core.config import SmtpHost, SmtpUpstream
from relay.settings.schema.fields import (
    Duration,
    Kind,
    OneOrMore,
    OptionalFilePath,
    OptionalSecret,
    Section,
    Truth,
    parsed,
    text,
    whole,
)
from relay.settings.upstream_url import Maildir, parse_upstream_url

_POOL = SmtpUpstream(name="", hosts=())


class PoolSection(Section):
    """The connections to an upstream that are kept open."""

    connections: Annotated[int, *whole(1, 1000)] = Field(
        _POOL.connections, description="Most connections at once, over all hosts."
    )
    messages_per_connection: Annotated[int, *whole(1)] = Field(
        _POOL.messages_per_connection, description="A connection is closed after so many messages."
    )
    idle: Duration = Field(_POOL.idle_s, description="A connection unused for so long is closed.")
    age: Duration = Field(_POOL.age_s, description="A connection open for so long is closed.")


class TimeoutsSection(Section):
    """How long each step of a delivery may take."""

    connect: Duration = Field(
        _POOL.connect_timeout_s, description="To connect, with TLS and the greeting."
    )
    command: Duration = Field(_POOL.command_timeout_s, description="For the answer to one command.")
    data: Duration = Field(_POOL.data_timeout_s, description="For one block of the message.")
    final: Duration = Field(
        _POOL.final_timeout_s,
        description="For the answer to the final dot. Without one the outcome is unknown, the "
        "quota stays charged, so be generous (RFC 5321 says 10 min).",
    )


class UpstreamSection(Section):
    """A server that mail is handed to."""

    url: Annotated[
        list[
            Annotated[
                SmtpHost | Maildir,
                parsed(parse_upstream_url),
                Kind("URL", str),
            ]
        ],
        OneOrMore,
    ] = Field(
        min_length=1,
        description="smtp://host:25 (no TLS), smtp+opportunistic://host:25 (TLS where offered), "
        "smtp+starttls://host:587 (TLS required), smtps://host:465, or maildir:PATH (files on "
        "disk). user:password@ before the host logs in; write special characters as %XX. "
        "A list is tried in order.",
        examples=['"smtp+starttls://smarthost.example.net:587"'],
    )
    username: Annotated[str | None, parsed(text), Kind("text")] = Field(
        None,
        description="User to log in with, where the URLs name none.",
        examples=["relay"],
    )
    password: OptionalSecret = Field(
        None,
        description="Password to log in with; file:PATH reads it from a file.",
        examples=["file:secrets/smarthost"],
    )
    ca_file: OptionalFilePath = Field(
        None,
        description="PEM file with the certificate authorities to trust, in place of the system's.",
        examples=["/etc/ssl/certs/ca-certificates.crt"],
    )
    verify: Truth = Field(
        default=True,
        description="Check the upstream's certificate and name. Without it, TLS keeps nobody out.",
    )
    pool: PoolSection = Field(
        default_factory=PoolSection, description="The connections that are kept open."
    )
    timeouts: TimeoutsSection = Field(
        default_factory=TimeoutsSection, description="How long each step may take."
    )
