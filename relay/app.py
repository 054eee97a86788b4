"""The only file that knows every room: it builds them and hands each what it needs.

`open_relay` builds a whole relay around a running loop; the part of it that the command line uses
is `cli/tools.py`. Starting and ending in order is `lifecycle.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from relay.admin.noting import Notebook
from relay.clock import AnyClock, SystemClock
from relay.concurrency.background import Background
from relay.core.config import Config, UpstreamConfig
from relay.core.mail.classify import classify
from relay.core.tenants.tenancy import Credential, Tenant
from relay.domains.desk import vault_of
from relay.domains.following import Following
from relay.edge.listeners import Listeners
from relay.edge.memory import Memory
from relay.edge.roster import Roster
from relay.edge.surroundings import Surroundings
from relay.pipeline import Pipeline
from relay.ports import Settings
from relay.providers import Lookup
from relay.providers.mx import MxResolver
from relay.seat import Seat
from relay.settings.live import LiveSettings
from relay.settings.tokens import DUMMY_SECRET, verify_token
from relay.signing.batch import Batch
from relay.signing.multibuffer import open_multibuffer
from relay.signing.sealed import SealedRing
from relay.signing.sealing import Vault
from relay.signing.signer import DkimSigner
from relay.store import open_store
from relay.store.redis_store import RedisStore
from relay.store.shelves.domains import RedisDomainShelf
from relay.store.shelves.history import RedisRecent
from relay.store.shelves.provider_cache import RedisProviderCache
from relay.telemetry.measured import MeasuredRelay, told
from relay.telemetry.metrics import Metrics
from relay.telemetry.observer import Observer
from relay.telemetry.timed import MeasuredSigner, MeasuredStore, MeasuredUpstream
from relay.transaction.charging import Charging
from relay.transaction.insisting import Insisting
from relay.transaction.preparing import Preparing
from relay.transaction.splitting import Splitting
from relay.upstream.build import open_upstream
from relay.upstream.in_force import Upstreams
from relay.vitals import Vitals
from relay.web.server import WebServer


@dataclass(frozen=True, slots=True)
class RelayParts:
    """A whole relay, built and connected, not yet listening."""

    settings: LiveSettings
    clock: AnyClock
    store: RedisStore
    background: Background
    providers: Lookup
    upstreams: Upstreams
    listeners: Listeners
    vitals: Vitals
    web: WebServer | None
    following: Following


async def open_relay(
    settings: LiveSettings, clock: AnyClock, seat: Seat | None = None
) -> RelayParts:
    """Build every room for the config in force. Raises StoreUnusable, OSError.

    `seat`: this is one of several workers. Call it in the main thread: the embedded store
    dies with the thread that started it.
    """
    config = seat.config(settings.config) if seat else settings.config
    store = await open_store(config.store, config.data_dir, clock)
    try:
        return _assemble(settings, config, clock, store, seat)
    except BaseException:
        await store.close()
        raise


def _assemble(
    settings: LiveSettings, config: Config, clock: AnyClock, store: RedisStore, seat: Seat | None
) -> RelayParts:
    metrics, background = Metrics(), Background()
    observer = Observer(metrics)
    notebook = Notebook(RedisRecent(store.line), clock, background)
    upstreams = _upstreams(settings, metrics, observer, seat)
    measured = MeasuredStore(store, metrics)
    roster = Roster(store.instances.own)
    providers = Lookup(
        lambda: settings.config.providers, RedisProviderCache(store.line), background,
        MxResolver(config.nameservers),
    )  # fmt: skip
    charging = Charging(
        measured,
        store.instances,
        clock,
        Insisting(background),
        roster.session_is_alive,
        providers,
    )
    vault = vault_of(settings.base)
    signer = MeasuredSigner(_signer(vault, store), metrics)
    room = (
        settings,
        told(partial(classify, received_limit=config.limits.received)),
        charging,
        Preparing(config.hostname, clock, signer),
        upstreams,
    )
    pipeline = Pipeline(*room, Splitting(*room))
    surroundings = Surroundings(
        hostname=config.hostname,
        limits=config.limits,
        relay=MeasuredRelay(pipeline, metrics, addresses=config.log.addresses, ended=notebook.note),
        authenticate=partial(authenticate, settings),
        settings=settings,
        clock=clock,
        observer=observer,
        roster=roster,
        memory=Memory(config.limits),
        company=store.company,
        may_offer=upstreams.may_offer,
    )
    listeners = Listeners(config.listeners, surroundings, shares_ports=seat is not None)
    vitals = Vitals(
        metrics,
        settings,
        measured,
        store.ping,
        upstreams,
        clock,
        lambda: settings.failed or listeners.has_stale_certificate,
    )
    web = _web(config, seat, vitals)
    return RelayParts(
        settings, clock, store, background, providers, upstreams, listeners, vitals, web,
        Following(settings, RedisDomainShelf(store.line), charging.forget_room, vault.look),
    )  # fmt: skip


def _signer(vault: Vault, store: RedisStore) -> DkimSigner:
    """Verifiers have the real time, whatever `--clock` says."""
    return DkimSigner(
        SystemClock(),
        sealed=SealedRing(vault),
        batch=Batch(open_multibuffer(), others=lambda: store.company.charging),
    )


def _web(config: Config, seat: Seat | None, vitals: Vitals) -> WebServer | None:
    """On the address of the config, or for the supervisor of this worker alone."""
    at = seat.ops if seat else config.web
    return WebServer(at, vitals) if at else None


def _upstreams(
    settings: LiveSettings, metrics: Metrics, observer: Observer, seat: Seat | None
) -> Upstreams:
    hostname = settings.config.hostname

    def opened(whole: UpstreamConfig) -> MeasuredUpstream:
        config = seat.upstream(whole) if seat else whole
        return MeasuredUpstream(open_upstream(config, hostname, observer), metrics)

    upstreams = Upstreams(opened)
    upstreams.follow(settings.config.upstreams)
    settings.subscribe(lambda config: upstreams.follow(config.upstreams))
    return upstreams


def authenticate(
    settings: Settings, username: str, token: str, /
) -> tuple[Credential, Tenant] | None:
    """Whom the credential belongs to, or None; as slow for an unknown user as for a known one."""
    found = settings.directory.credentials.get(username)
    secret = found[0].secret if found else DUMMY_SECRET
    return found if verify_token(token, secret) and found else None
