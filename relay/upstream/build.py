"""The one way in: from a config to the upstream that it describes."""

from __future__ import annotations

from relay.core.config import MaildirUpstream, UpstreamConfig
from relay.ports.upstream import Upstream
from relay.upstream.handshake import tls_context
from relay.upstream.maildir import Maildir
from relay.upstream.observer import Observer
from relay.upstream.smtp import Smtp


def open_upstream(config: UpstreamConfig, hostname: str, observer: Observer) -> Upstream:
    """The upstream that `config` describes; nothing is contacted yet.

    `hostname` is what it hears in EHLO, and what stands in maildir file names. Raises OSError
    when the CA file cannot be read or holds no certificate.
    """
    if isinstance(config, MaildirUpstream):
        return Maildir(config, hostname, observer)
    return Smtp(config, hostname, tls_context(config), observer)
