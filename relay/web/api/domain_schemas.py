"""The JSON objects of `/api/domains` as the OpenAPI document describes them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from relay.core.policy.policy import MailClass
from relay.core.tenants.added import MOST_ENVELOPE_DOMAINS, MOST_ROUTES
from relay.web.api.schemas import Reason

Name = Annotated[str, Field(min_length=1, max_length=64)]
DomainName = Annotated[str, Field(min_length=1, max_length=255)]
EnvelopeDomains = Annotated[list[DomainName], Field(max_length=MOST_ENVELOPE_DOMAINS)]


class RouteOfDomain(BaseModel):
    """Over which upstream the domain's mail goes, and by which policy it is warmed."""

    model_config = ConfigDict(extra="forbid")

    upstream: Name
    policy: Name


class _Wanted(BaseModel):
    """`policy` and `upstream` are short for one route; `routes` names several, in order."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    policy: Name | None = Field(None, description="Of the only route.")
    upstream: Name | None = Field(
        None, description="Of the only route. May be left out where the relay has but one."
    )
    routes: Annotated[list[RouteOfDomain], Field(min_length=1, max_length=MOST_ROUTES)] | None = (
        Field(None, description="Several, in order, in place of policy and upstream.")
    )
    mail_class: MailClass | None = Field(
        None,
        alias="class",
        description="Of mail whose header and credential name none; null for none.",
    )
    envelope_domains: EnvelopeDomains | None = Field(
        None, description="Further domains below this one that the envelope sender may have."
    )
    reason: Reason = Field("", description="For the audit log.")


class NewDomain(_Wanted):
    """A domain to add."""

    name: DomainName
    tenant: Name | None = Field(None, description="Operators name it; others may leave it out.")


class DomainChange(_Wanted):
    """What is to be otherwise; what is left out stays."""


class WhyOfDomain(BaseModel):
    """The reason, for the audit log."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason = ""


class Record(BaseModel):
    """A DNS record to publish. `strings` is `value` in the pieces that a TXT record is made of."""

    purpose: str = Field(description="verification, dkim, spf or dmarc")
    name: str
    type: str
    value: str
    strings: list[str]


class DomainSummary(BaseModel):
    """A sending domain; null is not yet, or not known for one of the config."""

    name: str
    tenant: str
    source: str = Field(description="api, or config: those are read-only here")
    state: str = Field(description="pending, active or broken")
    reason: str = Field(description="Why it is not active.")
    mail_class: str | None = Field(alias="class")
    envelope_domains: list[str]
    routes: list[RouteOfDomain]
    created_at: str | None
    created_by: str
    verified_at: str | None
    verified_by: str


class Domain(DomainSummary):
    """A sending domain, and what to publish for it."""

    records: list[Record]


class DomainPage(BaseModel):
    """Some domains, by name."""

    data: list[DomainSummary]
    next: str | None = Field(description="The `after` of the next page; null on the last.")


class RemovedDomain(DomainSummary):
    """The domain as it was."""

    removed: bool
