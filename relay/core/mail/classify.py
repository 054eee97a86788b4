"""What a submission is: whose domain, which route, which class (DESIGN §4).

Owns the checks that the content of a message must pass before quota is touched, and the
fingerprint by which a retry is known (rule 3). No I/O. The header section is parsed by
`header.py` and the From field by `sender.py`; the fix-ups of RFC 6409 §8 are in `trace.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Final

from relay.core.domain import domain_of, is_own_form
from relay.core.errors import (
    BadMessage,
    DomainTrouble,
    MailLoop,
    NotPermitted,
    NotVerified,
    StoreTrouble,
)
from relay.core.mail.header import Field, parse_fields, split_message, unfolded
from relay.core.mail.message import Classified, Client, Envelope, Submission
from relay.core.mail.sender import parse_from
from relay.core.policy.policy import MailClass
from relay.core.quota.campaign import Campaign
from relay.core.tenants.tenancy import Directory, SendingDomain, Tenant

RECEIVED_LIMIT: Final = 100
"""RFC 5321 §6.3: at least 100."""
DEFAULT_CLASS: Final = MailClass.MARKETING
"""Where neither header, credential nor domain names a class: no headroom is kept for it."""
_EMPTY_LINE_BYTES: Final = 2
_SMALL_SECTION_BYTES: Final = 16_384
_OWN: Final = b"x-warmup-"
_CLASS: Final = b"x-warmup-class"


def classify(
    submission: Submission, directory: Directory, *, received_limit: int = RECEIVED_LIMIT
) -> Classified:
    """`submission` as what it may be sent as.

    Raises BadMessage, BareNewline, BadSender, MailLoop, NotPermitted or DomainTrouble; and
    StoreTrouble where nobody knows yet whether the domain was added (`Directory.is_whole`).
    Time and memory are linear in the content, which is hashed once and never copied.
    """
    envelope, content = submission.envelope, submission.content
    section, body = split_message(content)
    fields = parse_fields(section)
    names = [field.name for field in fields]
    if (hops := names.count(b"received")) > received_limit:
        raise MailLoop(hops)
    has_own = _OWN in section.lower()
    domain = _domain_from(fields, submission.client.tenant, directory)
    check_reverse_path(submission.client.tenant, envelope.mail_from, directory)
    message_id = _first_value(fields, b"message-id") if b"message-id" in names else None
    body_sha256 = sha256(body[_EMPTY_LINE_BYTES:]).digest()
    known_by = _known_by(len(content), section, body_sha256)
    return Classified(
        submission=submission,
        domain=domain,
        mail_class=_class_of(fields if has_own else (), submission.client, domain),
        message_id=message_id,
        fingerprint=fingerprint_of(domain.name, envelope, known_by) if message_id else None,
        header=_without_own(section, fields) if has_own else section,
        fields=fields,
        body=body,
        body_sha256=body_sha256,
        campaign=_campaign_of(fields, domain),
        needs_8bit=not content.isascii(),
        needs_utf8=_needs_utf8(envelope, section),
    )


def check_reverse_path(tenant: Tenant, mail_from: str, directory: Directory) -> None:
    """Raises NotPermitted unless `mail_from` is "" or has a domain of the tenant's envelopes.

    What time may cure is let through: the From header will be deferred.
    """
    if not mail_from:
        return
    name = domain_of(mail_from)
    if name is not None and mail_from.isascii() and directory.may_send_as(tenant, name):
        return  # nearly always
    is_clear = name is not None and is_own_form(mail_from.rpartition("@")[2], name)
    if name is None or not is_clear:
        raise NotPermitted(f"{name or 'this'} is not a domain that you may send from")
    if not directory.may_send_as(tenant, name) and not _may_be_later(name, tenant, directory):
        raise NotPermitted(f"{name} is not a domain that you may send from")


def _may_be_later(name: str, tenant: Tenant, directory: Directory) -> bool:
    """Whether time may let `tenant` send as `name` without its doing. Raises NotVerified."""
    held = directory.withheld_from(tenant, name)
    if held is not None and held.is_pending:
        raise NotVerified(name)
    return held is not None or not directory.is_whole


def fingerprint_of(domain: str, envelope: Envelope, content: bytes) -> str:
    """What a retry has in common with its first attempt (rule 3), 64 hex digits.

    Not the route: a retry may find another one open than its first attempt did. The number of
    recipients and the length of each part come first, so that no part can run into the next.
    `content` may be what stands for it.
    """
    recipients = sorted([recipient.address for recipient in envelope.recipients])
    parts = [len(recipients).to_bytes(8)]
    for text in (domain, envelope.mail_from, *recipients):
        part = text.encode("utf-8", "surrogateescape")
        parts += (len(part).to_bytes(8), part)
    parts.append(content)
    return sha256(b"".join(parts)).hexdigest()


def recipient_fingerprints(message: Classified) -> tuple[str, ...]:
    """One fingerprint for each recipient of `message`, in order; none without a Message-ID.

    A client that was answered recipient by recipient tries again with those that are left, so
    a retry has one recipient in common with its first attempt, not the envelope. That of a message
    to one recipient is its own: `recipients` may be edited between attempt and retry.
    """
    if not message.message_id:
        return ()
    submission = message.submission
    section, _ = split_message(submission.content)
    known_by = _known_by(len(submission.content), section, message.body_sha256)
    envelope = submission.envelope
    each = (replace(envelope, recipients=(recipient,)) for recipient in envelope.recipients)
    return tuple(fingerprint_of(message.domain.name, alone, known_by) for alone in each)


def _known_by(size: int, section: bytes, body_sha256: bytes) -> bytes:
    """What stands for a content, whose body is hashed for its signature anyway.

    It goes into the fingerprint of each recipient, so of a large header only a hash does.
    """
    head = section if len(section) <= _SMALL_SECTION_BYTES else sha256(section).digest()
    return b"%d:%b%b" % (size, head, body_sha256)


def _domain_from(fields: Sequence[Field], tenant: Tenant, directory: Directory) -> SendingDomain:
    found = [_own_domain(name, tenant, directory) for name in parse_from(fields).domains]
    return found[0]


def _own_domain(name: str, tenant: Tenant, directory: Directory) -> SendingDomain:
    domain = directory.domains.get(name)
    if domain is None:
        _check_withheld(name, tenant, directory)
    # One text for "nobody's" and "another tenant's": who else is here is nobody's business.
    if domain is None or domain.tenant != tenant.name:
        raise NotPermitted(f"{name} in the From field is not a domain that you may send from")
    return domain


def _check_withheld(name: str, tenant: Tenant, directory: Directory) -> None:
    held = directory.withheld_from(tenant, name)
    if held is not None:
        raise NotVerified(name) if held.is_pending else DomainTrouble
    if not directory.is_whole:
        raise StoreTrouble


def class_without_header(client: Client, domain: SendingDomain) -> MailClass:
    """The class of a message that names none: its credential's, else its domain's."""
    return client.mail_class or domain.mail_class or DEFAULT_CLASS


def _class_of(fields: Sequence[Field], client: Client, domain: SendingDomain) -> MailClass:
    values = [unfolded(field.value) for field in fields if field.name == _CLASS]
    if not values:
        return class_without_header(client, domain)
    if len(values) > 1:
        raise BadMessage(f"{len(values)} X-Warmup-Class fields; at most one is allowed")
    text = values[0].decode("ascii", "replace").lower()
    try:
        return MailClass(text)
    except ValueError:
        allowed = " or ".join(MailClass)
        raise BadMessage(f'X-Warmup-Class is {allowed}, not "{text[:40]}"') from None


def _first_value(fields: Sequence[Field], name: bytes) -> bytes | None:
    for field in fields:
        if field.name == name and (value := unfolded(field.value)):
            return value
    return None


def _campaign_of(fields: Sequence[Field], domain: SendingDomain) -> Campaign | None:
    """Of several fields the first that says something counts; None where none does."""
    sticky = domain.routes[0].policy.sticky
    if sticky is None:
        return None
    value = _first_value(fields, sticky.header.encode())
    if value is None:
        return None
    upstreams = tuple(route.id.upstream for route in domain.walk)
    return Campaign(sha256(value).hexdigest(), sticky.keep_s, upstreams)


def _without_own(section: bytes, fields: Sequence[Field]) -> bytes:
    kept = (field for field in fields if not field.name.startswith(_OWN))
    return b"".join(section[field.start : field.end] for field in kept)


def _needs_utf8(envelope: Envelope, section: bytes) -> bool:
    """RFC 6531 §3.4. Raw 8-bit header bytes of a message that never asked for it go as they are."""
    addresses = [envelope.mail_from, *[recipient.address for recipient in envelope.recipients]]
    if not "".join(addresses).isascii():
        return True
    return envelope.smtputf8 and not section.isascii() and _is_utf8(section)


def _is_utf8(section: bytes) -> bool:
    try:
        section.decode()
    except UnicodeDecodeError:
        return False
    return True
