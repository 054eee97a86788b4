"""From a config and a store to the desk where domains are added: for the web and the commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from relay.core.config import Config
from relay.domains.added import DomainDesk
from relay.domains.following import Following
from relay.ports import Clock
from relay.providers.txt import TxtResolver
from relay.settings.live import LiveSettings
from relay.signing.sealing import Vault
from relay.store.connections.line import Line
from relay.store.shelves.audit_log import RedisAuditLog
from relay.store.shelves.domains import RedisDomainShelf


def vault_of(config: Config) -> Vault:
    """What seals the keys of added domains; `config` is that of the relay, not of a worker."""
    return Vault(config.sealing_file, makes=config.secrets.key_file is None)


def open_desk(
    settings: LiveSettings, clock: Clock, line: Line, on_disk: Callable[[], Awaitable[None]]
) -> DomainDesk:
    """The desk of one process; its `following` is to be run, or asked to `begin`."""
    shelf, base = RedisDomainShelf(line), settings.base
    vault = vault_of(base)
    return DomainDesk(
        settings=settings,
        shelf=shelf,
        following=Following(settings, shelf, vault.look),
        audit=RedisAuditLog(line),
        clock=clock,
        vault=vault,
        txt=TxtResolver(base.nameservers),
        on_disk=on_disk,
    )
