"""The URLs of upstreams: smtp://, smtp+starttls://, smtp+opportunistic://, smtps://, maildir:.

A message about a URL never quotes it: it may hold a password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from relay.core.config import Security, SmtpHost
from relay.settings.addresses import is_loopback, parse_host, parse_port
from relay.settings.problems import Wrong, nearest, shown

_SCHEMES = {
    "smtp": (Security.NONE, 25),
    "smtp+opportunistic": (Security.OPPORTUNISTIC, 25),
    "smtp+starttls": (Security.STARTTLS, 587),
    "smtps": (Security.IMPLICIT, 465),
}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_HOST_PORT = re.compile(r"(?:\[([^\]]*:[^\]]*)\]|([^:/\[\]]+))(?::([0-9]{1,5}))?/?\Z")
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_FORM = "smtp+starttls://user:password@host:587 or maildir:path"


@dataclass(frozen=True, slots=True)
class Maildir:
    """`maildir:path`; relative to the config file."""

    path: str


def parse_upstream_url(text: str) -> SmtpHost | Maildir:
    """One URL of an upstream. Raises Wrong."""
    found = _SCHEME.match(text)
    scheme = found[1].lower() if found else ""
    if not found or (scheme != "maildir" and scheme not in _SCHEMES):
        raise Wrong(f"this is not an upstream URL, such as {_FORM}", _scheme_hint(scheme))
    rest = text[found.end() :]
    if scheme == "maildir":
        return _maildir(rest)
    if not rest.startswith("//"):
        raise Wrong(f'"{scheme}:" needs "//" and a host after it', f"such as {_FORM}")
    security, port = _SCHEMES[scheme]
    return _smtp(rest[2:], security, port)


def _scheme_hint(scheme: str) -> str:
    return nearest(scheme, [*_SCHEMES, "maildir"]) if scheme else ""


def _maildir(rest: str) -> Maildir:
    path = rest.removeprefix("//")
    if not path:
        raise Wrong('"maildir:" needs a path after it', "such as maildir:var/outbound")
    return Maildir(path)


def _smtp(rest: str, security: Security, default_port: int) -> SmtpHost:
    userinfo, at, place = rest.rpartition("@")
    found = _HOST_PORT.match(place)
    if not found or "/" in userinfo:
        hint = "in user and password, write / as %2F, @ as %40, : as %3A and % as %25"
        raise Wrong(f"this is not an upstream URL, such as {_FORM}", hint)
    username, password = _credentials(userinfo) if at else (None, None)
    host = SmtpHost(
        host=parse_host(found[1] or found[2], place),
        port=parse_port(found[3], place) if found[3] else default_port,
        security=security,
        username=username,
        password=password,
    )
    if password is not None:
        refuse_plaintext(host)
    return host


def _credentials(userinfo: str) -> tuple[str, str]:
    username, colon, password = userinfo.partition(":")
    if not username or not colon or not password:
        raise Wrong("the URL needs both a user and a password before @", "user:password@host")
    return _decoded(username), _decoded(password)


def _decoded(text: str) -> str:
    if _ESCAPE.search(text):
        raise Wrong(
            "a % in the URL's user or password is not followed by two hex digits", "write % as %25"
        )
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        raise Wrong("the URL's user or password is not percent-encoded UTF-8") from None


def refuse_plaintext(host: SmtpHost) -> None:
    """Rule 4: no password over a connection that may be readable. Raises Wrong."""
    if host.security in {Security.STARTTLS, Security.IMPLICIT} or is_loopback(host.host):
        return
    raise Wrong(
        f"the password would go to {shown(host.host)} unencrypted",
        "use smtp+starttls:// or smtps://",
    )
