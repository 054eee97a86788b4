"""The DNS records that a domain publishes before it sends, as text to copy.

Knows nothing of keys (`signing/record.py` makes theirs) nor of DNS servers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from relay.core.tenants.added import TOKEN_LABEL, AddedDomain

MOST_STRING_BYTES: Final = 255
"""The most that one string of a TXT record holds (RFC 1035 §3.3)."""


class Purpose(StrEnum):
    """What a record is for. Without the first two mail does not leave, or not signed."""

    VERIFICATION = "verification"
    DKIM = "dkim"
    SPF = "spf"
    DMARC = "dmarc"


def strings_of(text: str) -> tuple[str, ...]:
    """`text` in the strings that a TXT record is made of."""
    starts = range(0, len(text), MOST_STRING_BYTES)
    return tuple(text[at : at + MOST_STRING_BYTES] for at in starts)


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """A TXT record: `name` ends in a dot, `value` is its whole text."""

    purpose: Purpose
    name: str
    value: str

    @property
    def strings(self) -> tuple[str, ...]:
        """`value` in the strings that a TXT record is made of."""
        return strings_of(self.value)

    def fields(self) -> dict[str, Any]:
        """As JSON."""
        told = {"purpose": self.purpose.value, "name": self.name, "type": "TXT"}
        return {**told, "value": self.value, "strings": list(self.strings)}

    def zone_text(self) -> str:
        """The record in zone file form (RFC 1035 §5.1)."""
        quoted = " ".join(f'"{string}"' for string in self.strings)
        return f"{self.name} IN TXT {quoted}"


def proof(domain: AddedDomain) -> DnsRecord:
    """The record that shows whose the domain is."""
    return DnsRecord(Purpose.VERIFICATION, f"{TOKEN_LABEL}.{domain.name}.", domain.token)


def beginnings(domain: str) -> tuple[DnsRecord, ...]:
    """SPF and DMARC to begin with: who may send depends on the upstream, so it is named."""
    return (
        DnsRecord(Purpose.SPF, f"{domain}.", "v=spf1 include:YOUR-UPSTREAM ~all"),
        DnsRecord(Purpose.DMARC, f"_dmarc.{domain}.", "v=DMARC1; p=none"),
    )
