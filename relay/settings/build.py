"""A checked relay.yaml as the plain values of `relay.core`. Nothing here can fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from os.path import abspath, join
from pathlib import Path

from relay.core.config import (
    Config,
    Limits,
    Listener,
    LogConfig,
    MaildirUpstream,
    SecretsConfig,
    SmtpHost,
    SmtpUpstream,
    StoreConfig,
    UpstreamConfig,
    WebConfig,
)
from relay.core.policy.policy import EXEMPT, Policy
from relay.core.tenants.brand import Brand
from relay.core.tenants.tenancy import (
    Credential,
    DkimKey,
    Route,
    RouteId,
    SendingDomain,
    Tenant,
    directory_of,
)
from relay.settings.schema.root import ConfigSection
from relay.settings.schema.server import ListenerSection, PlaintextAuth
from relay.settings.schema.tenant import DomainSection, TenantSection
from relay.settings.schema.upstream import UpstreamSection
from relay.settings.store_url import EMBEDDED
from relay.settings.upstream_url import Maildir


def absolute(base: Path, path: str) -> Path:
    """`path`, which is relative to `base`; symbolic links stay."""
    return Path(absolute_text(base, path))


def absolute_text(base: Path, path: str) -> str:
    """`str(absolute(base, path))`, in a fraction of the time."""
    return abspath(join(base, path))  # noqa: PTH100, PTH118 - no resolve(): links; speed


def build_config(path: Path, section: ConfigSection, policies: Mapping[str, Policy]) -> Config:
    """The config of the file `path` (absolute); `files` and policy directories are not set."""
    base = path.parent
    known = {**policies, EXEMPT.name: EXEMPT}
    tenants = [_tenant(base, name, tenant, known) for name, tenant in section.tenants.items()]
    return Config(
        path=path,
        hostname=section.hostname,
        data_dir=absolute(base, section.data_dir),
        listeners=tuple(_listener(base, listener) for listener in section.listeners),
        upstreams={name: _upstream(base, name, up) for name, up in section.upstreams.items()},
        directory=directory_of(tenants),
        store=_store(section),
        web=_web(section),
        workers=section.workers,
        limits=_limits(section),
        log=LogConfig(section.log.level.value, section.log.format, section.log.addresses),
        policy_directories=tuple(absolute(base, directory) for directory in section.policies),
        policies=dict(policies),
        secrets=SecretsConfig(_optional(base, section.secrets.key_file)),
        nameservers=tuple((each.host, each.port) for each in section.nameservers),
    )


def _listener(base: Path, section: ListenerSection) -> Listener:
    return Listener(
        host=section.address.host,
        port=section.address.port,
        tls=section.tls,
        auth=section.auth,
        plaintext_auth=section.plaintext_auth is PlaintextAuth.LOOPBACK,
        proxy_from=tuple(section.proxy_from),
        certificate=_optional(base, section.certificate),
        key=_optional(base, section.key),
    )


def _optional(base: Path, path: str | None) -> Path | None:
    return None if path is None else absolute(base, path)


def _upstream(base: Path, name: str, section: UpstreamSection) -> UpstreamConfig:
    first = section.url[0]
    if isinstance(first, Maildir):
        return MaildirUpstream(name, absolute(base, first.path))
    hosts = [_host(url, section) for url in section.url if isinstance(url, SmtpHost)]
    return SmtpUpstream(
        name=name,
        hosts=tuple(hosts),
        ca_file=_optional(base, section.ca_file),
        verify=section.verify,
        connections=section.pool.connections,
        messages_per_connection=section.pool.messages_per_connection,
        idle_s=section.pool.idle,
        age_s=section.pool.age,
        connect_timeout_s=section.timeouts.connect,
        command_timeout_s=section.timeouts.command,
        data_timeout_s=section.timeouts.data,
        final_timeout_s=section.timeouts.final,
    )


def _host(url: SmtpHost, section: UpstreamSection) -> SmtpHost:
    if section.password is None:
        return url
    return replace(url, username=section.username, password=section.password)


def _tenant(
    base: Path, name: str, section: TenantSection, policies: Mapping[str, Policy]
) -> Tenant:
    return Tenant(
        name=name,
        credentials=tuple(
            Credential(each.username, each.secret, each.mail_class) for each in section.credentials
        ),
        networks=tuple(dict.fromkeys(section.networks)),
        domains=tuple(
            _domain(base, domain, name, inner, policies)
            for domain, inner in section.domains.items()
        ),
        brand=Brand(
            section.brand.name, _optional(base, section.brand.logo), section.brand.colour or ""
        ),
    )


def _domain(
    base: Path, name: str, tenant: str, section: DomainSection, policies: Mapping[str, Policy]
) -> SendingDomain:
    return SendingDomain(
        name=name,
        tenant=tenant,
        routes=tuple(
            Route(RouteId(name, route.upstream), policies[route.policy], place)
            for place, route in enumerate(section.routes)
        ),
        envelope_domains=frozenset(section.envelope_domains),
        dkim=tuple(DkimKey(key.selector, absolute(base, key.key)) for key in section.dkim),
    )


def _store(section: ConfigSection) -> StoreConfig:
    url = None if section.store.url == EMBEDDED else section.store.url
    return StoreConfig(url, section.store.timeout, section.store.wait_replicas)


def _web(section: ConfigSection) -> WebConfig | None:
    web = section.web
    if web is None:
        return None
    address = web.address
    return WebConfig(address.host, address.port, web.requests_per_minute, tuple(web.cors), web.api)


def _limits(section: ConfigSection) -> Limits:
    limits = section.limits
    return Limits(
        message_bytes=limits.message_size,
        memory_bytes=limits.memory,
        recipients=limits.recipients,
        connections=limits.connections,
        connections_per_address=limits.connections_per_address,
        errors=limits.errors,
        auth_failures_per_address=limits.auth_failures_per_address,
        auth_failures_per_account=limits.auth_failures_per_account,
        auth_window_s=limits.auth_window,
        received=limits.received,
        command_timeout_s=limits.command_timeout,
        data_timeout_s=limits.data_timeout,
        shutdown_s=limits.shutdown,
        added_domains=limits.added_domains,
    )
