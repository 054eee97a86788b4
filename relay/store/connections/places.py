"""The `store:` URLs of more than one server, taken apart: where to ask, and as whom.

    redis+cluster://[user:password@]host:port,host:port[?option=…]
    redis+sentinel://[user:password@]host:port,host:port/name[?option=…]

rediss+… is TLS to all of them. Credentials and options go into the URL of every server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from relay.store.troubles import StoreUnusable

CLUSTER: Final = "cluster"
SENTINEL: Final = "sentinel"

_DEFAULT_PORTS: Final = {CLUSTER: 6379, SENTINEL: 26379}
_ABOUT_SENTINELS: Final = ("sentinel_username", "sentinel_password")


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Places:
    """Servers to ask first, and how to reach any of their kin.

    `kind` is CLUSTER or SENTINEL; `name` what the sentinels call the master. `credentials`
    end in @ or are empty; `sentinel_credentials` are those for the sentinels themselves.
    """

    kind: str
    scheme: str
    seeds: tuple[Address, ...]
    name: str
    credentials: str
    sentinel_credentials: str
    options: str

    def url(self, address: Address) -> str:
        """The URL of the server at `address`."""
        return f"{self.scheme}://{self.credentials}{address}{self.options}"

    def sentinel_url(self, address: Address) -> str:
        """The URL of the sentinel at `address`. It has no databases."""
        kept = [(k, v) for k, v in parse_qsl(self.options[1:]) if k != "db"]
        options = f"?{urlencode(kept)}" if kept else ""
        return f"{self.scheme}://{self.sentinel_credentials}{address}{options}"


def places_of(url: str) -> Places | None:
    """What `url` names, or None if it is the URL of one server. Raises StoreUnusable."""
    scheme, _, kind = url.partition("://")[0].lower().partition("+")
    if kind not in _DEFAULT_PORTS:
        return None
    try:
        parts = urlsplit(url)
        given, _, hosts = parts.netloc.rpartition("@")
        seeds = tuple(_address(host, _DEFAULT_PORTS[kind]) for host in hosts.split(","))
        options = parse_qsl(parts.query)
    except ValueError as error:
        raise StoreUnusable(f"the URL of the store cannot be used: {error}") from error
    about = dict(options)
    kept = [(key, value) for key, value in options if key not in _ABOUT_SENTINELS]
    user, password = (quote(about.get(key, ""), safe="") for key in _ABOUT_SENTINELS)
    return Places(
        kind=kind,
        scheme=scheme,
        seeds=seeds,
        name=unquote(parts.path.strip("/")),
        credentials=_credentials(given),
        sentinel_credentials=f"{user}:{password}@" if user or password else "",
        options=f"?{urlencode(kept)}" if kept else "",
    )


def _address(text: str, port: int) -> Address:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError(f"{text!r} names no server")
    return Address(parts.hostname, parts.port or port)


def _credentials(given: str) -> str:
    """A word alone is the password: without one a user would be of no use."""
    if not given:
        return ""
    return f"{given}@" if ":" in given else f":{given}@"
