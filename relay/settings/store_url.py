"""The URL of the store. A message about it never quotes it: it may hold a password."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from relay.settings.addresses import parse_host, parse_port
from relay.settings.problems import Wrong, nearest

EMBEDDED = "embedded"
_SCHEMES = ("redis", "rediss", "unix")
_PLACE = re.compile(r"(?:\[([^\]]*:[^\]]*)\]|([^:\[\]]+))(?::([0-9]{1,5}))?\Z")
_DATABASE = re.compile(r"(/[0-9]{0,5})?\Z")


def parse_store_url(text: str) -> str:
    """`embedded` or the URL, unchanged. Raises Wrong."""
    if text == EMBEDDED:
        return text
    scheme, colon, rest = text.partition("://")
    if scheme.lower() in {
        f"{known}+{kind}" for known in _SCHEMES for kind in ("cluster", "sentinel")
    }:
        raise Wrong(f"{scheme}:// is not built yet in this version", "use redis:// or rediss://")
    if scheme.lower() not in _SCHEMES or not colon:
        hint = nearest(scheme, (*_SCHEMES, EMBEDDED))
        raise Wrong("is neither embedded nor a URL, such as redis://127.0.0.1:6379/0", hint)
    if scheme.lower() == "unix":
        return _socket(text, rest)
    return _server(text)


def _socket(text: str, rest: str) -> str:
    if not rest.rpartition("@")[2].startswith("/"):
        raise Wrong("needs an absolute path", "unix:///run/valkey/valkey.sock")
    return text


def _server(text: str) -> str:
    try:
        parts = urlsplit(text)
    except ValueError:
        raise Wrong("is not a URL, such as redis://127.0.0.1:6379/0") from None
    place = parts.netloc.rpartition("@")[2]
    found = _PLACE.match(place)
    if not found or not _DATABASE.match(parts.path) or parts.fragment:
        hint = "in the password, write / as %2F, @ as %40, # as %23 and ? as %3F"
        raise Wrong("is not a URL, such as redis://127.0.0.1:6379/0", hint)
    parse_host(found[1] or found[2], place)
    if found[3]:
        parse_port(found[3], place)
    return text
