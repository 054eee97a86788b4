"""Domain names in the one form that the relay compares: lower case IDNA A-labels.

Knows nothing of DNS: whether a name exists is asked elsewhere.
"""

from __future__ import annotations

import re
from functools import lru_cache
from unicodedata import normalize

MAX_DOMAIN = 253
"""Characters of a name without its final dot (RFC 1035 §2.3.4)."""

MAX_LABEL = 63
"""Characters of one label (RFC 1035 §2.3.4)."""

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")
# IDNA 2003 (all that the standard library has) maps these to other names than IDNA 2008 does.
_DEVIATIONS = re.compile("[\u00df\u1e9e\u03c2\u200c\u200d]")
_A_LABEL = re.compile("xn--([a-z0-9-]+)")


@lru_cache(maxsize=4096)  # a message asks for that of each address several times
def normalize_domain(text: str) -> str:
    """`text` as lower case A-labels without a final dot (RFC 5890 §2.3.2.1).

    Raises ValueError, in words for people, for what is not a domain name: an address
    literal, an empty or too long label, a character outside letters, digits and hyphen.
    """
    if len(text) > MAX_DOMAIN + 1:
        raise ValueError(f"a domain name has at most {MAX_DOMAIN} characters")
    name = (text if text.isascii() else _to_ascii(text)).lower().removesuffix(".")
    if len(name) > MAX_DOMAIN or not _DOMAIN.match(name):
        raise ValueError(f'"{text}" is not a domain name')
    if name.rsplit(".", 1)[-1].isdigit():
        raise ValueError(f'"{text}" is not a domain name: its last part is a number')
    return name


def is_selector(text: str) -> bool:
    """Whether `text` can be a DKIM selector: labels and dots (RFC 6376 §3.1), in any case.

    Inside a label there may be underscores, as in some that are in use: the DNS has no objection.
    """
    is_short = text.isascii() and len(text) <= MAX_LABEL
    return is_short and _DOMAIN.match(text.lower().replace("_", "-")) is not None


def is_own_form(text: str, name: str) -> bool:
    """Whether `text`, which was normalised to `name`, is a way of writing that very name.

    Compatibility look-alikes (full width letters, dot leaders) are not: they are mapped to the
    letters that they look like here, and other parsers might not, and see another domain.
    """
    if text.isascii():
        return True
    try:
        return name.encode().decode("idna") == normalize("NFC", text.lower())
    except ValueError:
        return False


def is_part(text: str, name: str) -> bool:
    """Whether `text` (lower case) is in `name`, as it is or with its A-labels put into letters."""
    if text.isascii():
        return text in name
    return normalize("NFC", text) in _A_LABEL.sub(_in_letters, name)


def _in_letters(label: re.Match[str]) -> str:
    try:
        return label[1].encode().decode("punycode")
    except ValueError:
        return label[0]


def _to_ascii(text: str) -> str:
    if _DEVIATIONS.search(text):
        raise ValueError(f'write "{text}" as an A-label (xn--…): its meaning differs by standard')
    try:
        return text.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError(f'"{text}" is not a domain name') from None


@lru_cache(maxsize=1024)  # of a sender four times for a message
def domain_of(address: str) -> str | None:
    """The normalised domain of a mailbox (`local@domain`), or None where it has no valid one."""
    _, at, domain = address.rpartition("@")
    if not at:
        return None
    try:
        return normalize_domain(domain)
    except ValueError:
        return None
