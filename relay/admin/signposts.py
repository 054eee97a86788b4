"""What is told to somebody who wants to send through the relay: where it is, what to publish."""

from __future__ import annotations

from contextlib import suppress

from relay.core.config import Config, Listener
from relay.core.tenants.tenancy import SendingDomain
from relay.settings.addresses import is_loopback
from relay.signing.record import record_of


def submission(config: Config) -> tuple[str, Listener]:
    """The host and the listener for applications: one not only for this machine, if any."""
    first = next((each for each in config.listeners if not is_loopback(each.host)), None)
    if first is None:
        return config.listeners[0].host, config.listeners[0]
    return config.hostname, first


def records(domain: SendingDomain) -> list[str]:
    """The DNS records of a domain's keys, of those that are there yet."""
    found = []
    for key in domain.dkim:
        with suppress(OSError, ValueError):
            found.append(record_of(domain.name, key).zone_text())
    return found
