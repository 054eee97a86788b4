"""The key `tenants` of relay.yaml."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field

from relay.core.policy.policy import MailClass
from relay.core.tenants.brand import COLOUR
from relay.settings.problems import Wrong, shown
from relay.settings.schema.fields import (
    Domain,
    FilePath,
    Kind,
    Name,
    OptionalFilePath,
    Secret,
    Section,
    Selector,
    TenantNetwork,
    Username,
    choice_text,
    one_of,
    parsed,
    text,
)
from relay.settings.tokens import is_secret

# The hash of a token that was generated and thrown away.
_NOBODYS_KEY = "3DHHp0is9KpVJvc1wj4gIsNV+YNtVkYmlAL7OS69c4U="
_NOBODYS_DIGEST = "OSlepgcLX5WHRvCi9tsF2BfUPlvNRdQuRvoTNAOKjHE="
NOBODYS_SECRET: Final = f"hmac-sha256${_NOBODYS_KEY}${_NOBODYS_DIGEST}"


def _generated(value: str) -> str:
    if not is_secret(value):
        raise Wrong("is not the hash of a generated token", "run `warmup-relay token` for one")
    return value


class CredentialSection(Section):
    """A user name and the hash of a generated token."""

    username: Username = Field(
        description="What the client logs in as; unique over all tenants.", examples=["acme"]
    )
    secret: Annotated[Secret, AfterValidator(_generated)] = Field(
        description="The hash that `warmup-relay token` prints (never the token itself); "
        "file:PATH reads it from a file.",
        examples=[f'"{NOBODYS_SECRET}"'],
    )
    mail_class: Annotated[MailClass | None, one_of(MailClass), Kind(choice_text(MailClass))] = (
        Field(
            None,
            alias="class",
            description="What this credential sends, where the header X-Warmup-Class of a message "
            "says nothing.",
            examples=["marketing"],
        )
    )


class DkimSection(Section):
    """A key that the domain's mail is signed with."""

    selector: Selector = Field(
        description="The public key is published at SELECTOR._domainkey.DOMAIN.", examples=["s1"]
    )
    key: FilePath = Field(
        description="PEM file with the private key (RSA or Ed25519).",
        examples=["var/dkim/news.acme.example.s1.pem"],
    )


class RouteSection(Section):
    """Which upstream the domain's mail goes to, and by which policy it is warmed."""

    upstream: Name = Field(description="One of the upstreams above.", examples=["outbound"])
    policy: Name = Field(
        description="The name of a policy file without .yaml, or exempt for no warm-up.",
        examples=["calendar-14-day"],
    )


class DomainSection(Section):
    """A domain that the tenant may send from."""

    envelope_domains: list[Domain] = Field(
        default_factory=list,
        description="Further domains that the envelope sender (MAIL FROM) may have, such as a "
        "bounce domain.",
    )
    dkim: list[DkimSection] = Field(
        default_factory=list,
        description="Keys to sign with; every message gets one signature for each. Without any, "
        "mail is not signed.",
    )
    routes: list[RouteSection] = Field(
        min_length=1,
        description="Where the domain's mail goes. Of several routes, each over another upstream, "
        "the first that has room takes a message; the policies of all but the last say excess: "
        "overflow (docs/overflow.md).",
    )


def _colour(value: str) -> str:
    if not COLOUR.fullmatch(value):
        raise Wrong(f"{shown(value)} is not a colour", 'write it as "#0b5fcb"')
    return value


class BrandSection(Section):
    """What the tenant's users see on the dashboard in place of the relay's own."""

    name: Annotated[str, parsed(text), Kind("text")] = Field(
        "", description="A name for the head of each page.", examples=["Acme Mail"]
    )
    logo: OptionalFilePath = Field(
        None,
        description="A PNG, JPEG, GIF or WebP file of at most 256 KiB, shown 28 pixels high.",
        examples=["acme.png"],
    )
    colour: Annotated[str | None, parsed(_colour), Kind("colour")] = Field(
        None,
        description="Of links and buttons; made darker or lighter where it could not be read.",
        examples=['"#0b5fcb"'],
    )


class TenantSection(Section):
    """A customer of the relay."""

    credentials: list[CredentialSection] = Field(
        default_factory=list, description="Users who may send as this tenant, with AUTH."
    )
    networks: list[TenantNetwork] = Field(
        default_factory=list,
        description="Networks that may send as this tenant without AUTH. The narrowest of all "
        "tenants' networks decides whose a client is.",
    )
    domains: dict[Domain, DomainSection] = Field(
        default_factory=dict,
        description="The domains that this tenant sends from: those of the From header, matched "
        "exactly. A domain belongs to one tenant.",
    )
    brand: BrandSection = Field(
        default_factory=BrandSection, description="How the dashboard looks to its users."
    )
