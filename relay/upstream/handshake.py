"""From a host to a greeted connection: connect, EHLO, STARTTLS, AUTH.

The socket is that of `dialling.py`; aiosmtplib does the rest, and then hands its transport over
to our own `Wire`. Every failure is Broken, with a text for the log that holds no secret.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Final, cast

import aiosmtplib

from relay.core.config import Security, SmtpHost, SmtpUpstream
from relay.upstream.capabilities import Capabilities, capabilities_of
from relay.upstream.dialling import Dialler
from relay.upstream.wire import Broken, Wire

MAX_WHY: Final = 200

_TROUBLE: Final = (aiosmtplib.SMTPException, OSError, ValueError, RuntimeError)


def tls_context(config: SmtpUpstream) -> ssl.SSLContext:
    """The context for all connections of an upstream. Raises OSError for an unusable CA file.

    The host name is checked unless `verify` is off; TLS 1.2 at least (RFC 8996).
    """
    context = ssl.create_default_context(cafile=config.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not config.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def greet(
    host: SmtpHost, dialler: Dialler, hostname: str, tls: ssl.SSLContext, limits: SmtpUpstream
) -> tuple[Wire, Capabilities]:
    """Connect to `host` and make it ready for MAIL. Raises Broken, and leaves nothing open.

    Each step has its own deadline, from `limits`. `hostname` is said in EHLO.
    """
    with _step("set-up"):
        client = aiosmtplib.SMTP(
            hostname=host.host,
            local_hostname=hostname,
            timeout=limits.command_timeout_s,
            use_tls=host.security is Security.IMPLICIT,
            start_tls=False,
            tls_context=tls,
        )
    try:
        with _step("connecting"):
            async with asyncio.timeout(limits.connect_timeout_s):
                sock = await dialler.connected(host)
                await client.connect(sock=sock, timeout=limits.connect_timeout_s)
        await _introduce(client, host)
        return _take_over(client)
    finally:
        client.close()


async def _introduce(client: aiosmtplib.SMTP, host: SmtpHost) -> None:
    await _hello(client)
    if _wants_starttls(client, host):
        with _step("STARTTLS"):
            await client.starttls()
        await _hello(client)
    if host.username is not None:
        _require_privacy(client)
        if not client.supported_auth_methods:
            raise Broken("AUTH: the server offers none that the relay knows")
        with _step("AUTH", is_secret=True):
            await client.login(host.username, host.password or "")


async def _hello(client: aiosmtplib.SMTP) -> None:
    with _step("EHLO"):
        try:
            await client.ehlo()
        except aiosmtplib.SMTPHeloError:
            if not client.is_connected:
                raise
            await client.helo()  # RFC 5321 §3.2


def _wants_starttls(client: aiosmtplib.SMTP, host: SmtpHost) -> bool:
    offered = client.supports_extension("starttls")
    if host.security is Security.STARTTLS and not offered:
        raise Broken("STARTTLS is required and not offered")
    return offered and host.security in {Security.STARTTLS, Security.OPPORTUNISTIC}


def _require_privacy(client: aiosmtplib.SMTP) -> None:
    """A password goes over TLS, or over loopback, and nowhere else (rule 4)."""
    with _step("AUTH"):
        if client.get_transport_info("sslcontext") is not None:
            return
        peer = str(client.get_transport_info("peername")[0])
        if not ip_address(peer.partition("%")[0]).is_loopback:
            raise Broken("no password is sent over an unencrypted connection")


def _take_over(client: aiosmtplib.SMTP) -> tuple[Wire, Capabilities]:
    """From here on the connection is ours: aiosmtplib forgets it, and cannot close it."""
    if not client.is_connected:
        raise Broken("connection closed after the greeting")
    transport = cast("asyncio.Transport", client.transport)
    offered = capabilities_of(client.esmtp_extensions)
    client.protocol = client.transport = None
    return Wire(transport), offered


@contextmanager
def _step(step: str, *, is_secret: bool = False) -> Iterator[None]:
    """Trouble in one step as Broken; of a secret one only the reply code is told.

    A server that does not know AUTH quotes the line that it did not understand.
    """
    try:
        yield
    except _TROUBLE as error:
        what = _told(error, is_secret=is_secret)
        raise Broken(f"{step}: {what}") from None


def _told(error: BaseException, *, is_secret: bool) -> str:
    code = getattr(error, "code", None)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        text = "refused" if is_secret else error.message
        return f"{code} {' '.join(text.split())}"[:MAX_WHY]
    if is_secret:
        return type(error).__name__
    if isinstance(error, aiosmtplib.SMTPConnectError):  # says that the port is None
        error = error.__cause__ or error
    nothing = "timed out" if isinstance(error, TimeoutError) else type(error).__name__
    return " ".join((str(error) or nothing).split())[:MAX_WHY]
