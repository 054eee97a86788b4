"""The URL of the store. A message about it never quotes it: it may hold a password."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from relay.settings.addresses import parse_host, parse_port
from relay.settings.problems import Wrong, nearest

EMBEDDED = "embedded"
_SCHEMES = ("redis", "rediss", "unix")
_KINDS = {
    "cluster": "redis+cluster://user:password@10.0.0.1:6379,10.0.0.2:6379",
    "sentinel": "redis+sentinel://user:password@10.0.0.1:26379,10.0.0.2:26379/mymaster",
}
_OF_MANY = tuple(f"{scheme}+{kind}" for kind in _KINDS for scheme in _SCHEMES[:2])
_PLACE = re.compile(r"(?:\[([^\]]*:[^\]]*)\]|([^:\[\]]+))(?::([0-9]{1,5}))?\Z")
_ENCODE = "in the password, write / as %2F, @ as %40, # as %23 and ? as %3F"
_DATABASE = re.compile(r"(/[0-9]{0,5})?\Z")


def parse_store_url(text: str) -> str:
    """`embedded` or the URL, unchanged. Raises Wrong."""
    if text == EMBEDDED:
        return text
    scheme, colon, rest = text.partition("://")
    server, plus, kind = scheme.lower().partition("+")
    if plus and colon and server in _SCHEMES[:2] and kind in _KINDS:
        return _servers(text, kind)
    if scheme.lower() not in _SCHEMES or not colon:
        hint = nearest(scheme, (*_SCHEMES, *_OF_MANY, EMBEDDED))
        raise Wrong("is neither embedded nor a URL, such as redis://127.0.0.1:6379/0", hint)
    if scheme.lower() == "unix":
        return _socket(text, rest)
    return _server(text)


def _socket(text: str, rest: str) -> str:
    if not rest.rpartition("@")[2].startswith("/"):
        raise Wrong("needs an absolute path", "unix:///run/valkey/valkey.sock")
    return text


def _server(text: str) -> str:
    form = "redis://127.0.0.1:6379/0"
    place, path = _parts(text, form)
    if not _DATABASE.match(path):
        raise Wrong(f"is not a URL, such as {form}", _ENCODE)
    _check_place(place, form)
    return text


def _servers(text: str, kind: str) -> str:
    """A cluster has no databases, and a master that sentinels watch has a name."""
    form = _KINDS[kind]
    places, path = _parts(text, form)
    for place in places.split(","):
        _check_place(place, form)
    name = path.strip("/")
    if kind == "cluster" and name:
        raise Wrong("names a database, and a cluster has none", f"such as {form}")
    if kind == "sentinel" and (not name or "/" in name):
        raise Wrong("needs the name of the master at its end", f"such as {form}")
    return text


def _parts(text: str, form: str) -> tuple[str, str]:
    """What stands behind the credentials, and the path."""
    try:
        parts = urlsplit(text)
    except ValueError:
        raise Wrong(f"is not a URL, such as {form}") from None
    if parts.fragment or "@" in parts.path + parts.query:  # what stands before is no place
        raise Wrong(f"is not a URL, such as {form}", _ENCODE)
    return parts.netloc.rpartition("@")[2], parts.path


def _check_place(place: str, form: str) -> None:
    found = _PLACE.match(place)
    if not found:
        raise Wrong(f"is not a URL, such as {form}", _ENCODE)
    parse_host(found[1] or found[2], place)
    if found[3]:
        parse_port(found[3], place)
