"""The rooms of the web process: all that HTTP needs, built and handed to the site.

It owns no embedded store: it is a guest of the one that a relay keeps. Read `app.py` for the
relay's own rooms, `process.py` for how these are run.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from relay import __version__
from relay.admin.access import Access
from relay.admin.changing import Changing
from relay.admin.noting import Notebook
from relay.admin.policy_desk import PolicyDesk
from relay.admin.proving import DkimProving, WatchedSigner
from relay.admin.signposts import records, submission
from relay.admin.users import SigningIn
from relay.clock import AnyClock, SystemClock
from relay.concurrency.background import Background
from relay.core.config import Config, StoreConfig, UpstreamConfig, WebConfig
from relay.core.mail.classify import classify
from relay.domains.added import DomainDesk
from relay.domains.desk import open_desk
from relay.pipeline import Pipeline
from relay.processes.presence import presence_in
from relay.providers import Lookup
from relay.providers.mx import MxResolver
from relay.settings.live import LiveSettings
from relay.signing.sealed import SealedRing
from relay.signing.signer import DkimSigner
from relay.store import StoreUnusable, attach, open_store
from relay.store.redis_store import RedisStore
from relay.store.shelves.audit_log import RedisAuditLog
from relay.store.shelves.history import RedisHistory, RedisRecent
from relay.store.shelves.keeping import RedisAnswers
from relay.store.shelves.provider_cache import RedisProviderCache
from relay.store.shelves.tokens import RedisTokenShelf
from relay.store.shelves.users import RedisAttempts, RedisSessionShelf, RedisUserShelf
from relay.telemetry.measured import MeasuredRelay, told
from relay.telemetry.metrics import Metrics
from relay.telemetry.observer import Observer
from relay.telemetry.timed import MeasuredSigner, MeasuredStore, MeasuredUpstream
from relay.transaction.batching import Batching
from relay.transaction.charging import Charging
from relay.transaction.insisting import Insisting
from relay.transaction.preparing import Preparing
from relay.transaction.splitting import Splitting
from relay.upstream.build import open_upstream
from relay.upstream.in_force import Upstreams
from relay.vitals import counts
from relay.web.api.desk import Desk
from relay.web.api.stream import Streams
from relay.web.asgi import App
from relay.web.dashboard.app import pages_app
from relay.web.dashboard.desk import PagesDesk
from relay.web.forward import Forward
from relay.web.site import Site, site
from relay.web_process.outbox import Outbox, Sessions

STORE_APPEARS_S: Final = 10.0
"""How long to wait for the relay that keeps the embedded store: both may start at once."""

POLL_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Rooms:
    """What is opened, and closed at the end."""

    settings: LiveSettings
    clock: AnyClock
    store: RedisStore
    background: Background
    providers: Lookup
    upstreams: Upstreams
    streams: Streams
    metrics: Metrics
    domains: DomainDesk


async def open_rooms(settings: LiveSettings, clock: AnyClock) -> Rooms:
    """All of it. Raises StoreUnusable or OSError."""
    store = await open_store(await _store_of(settings.config), settings.config.data_dir, clock)
    background = Background()
    cache = RedisProviderCache(store.line)
    mx = MxResolver(settings.config.nameservers)
    providers = Lookup(lambda: settings.config.providers, cache, background, mx)
    metrics = Metrics()
    upstreams = _upstreams(settings, metrics)
    streams = Streams()
    return Rooms(
        settings, clock, store, background, providers, upstreams, streams, metrics,
        open_desk(settings, clock, store.line, store.on_disk),
    )  # fmt: skip


async def _store_of(config: Config) -> StoreConfig:
    """Where the store is; the embedded one where its relay keeps it. Raises StoreUnusable."""
    if config.store.url is not None:
        return config.store
    for _ in range(int(STORE_APPEARS_S / POLL_S)):
        if url := attach(config.data_dir):
            return StoreConfig(url, config.store.timeout_s)
        await asyncio.sleep(POLL_S)
    raise StoreUnusable(
        f"no relay serves from {config.data_dir}, and the embedded store is only there while one"
        " does: start `warmup-relay serve` first, or give both a store of their own"
    )


def _upstreams(settings: LiveSettings, metrics: Metrics) -> Upstreams:
    hostname, observer = settings.config.hostname, Observer(metrics)

    def opened(config: UpstreamConfig) -> MeasuredUpstream:
        return MeasuredUpstream(open_upstream(config, hostname, observer), metrics)

    upstreams = Upstreams(opened)
    upstreams.follow(settings.config.upstreams)
    settings.subscribe(lambda config: upstreams.follow(config.upstreams))
    return upstreams


def site_of(rooms: Rooms, at: WebConfig | socket.socket, ops: Path | None) -> Site:
    """What is served on `at`; `ops` is where the relay that keeps this process answers, if any."""
    settings, clock, line = rooms.settings, rooms.clock, rooms.store.line
    access = Access(RedisTokenShelf(line), clock)
    desk = Desk(
        settings=settings,
        store=rooms.store,
        changes=Changing(rooms.store, RedisAuditLog(line), clock),
        audit=RedisAuditLog(line),
        outbox=_outbox(rooms),
        access=access,
        clock=clock,
        limits=settings.config.limits,
        domains=rooms.domains,
    )
    own = at if isinstance(at, WebConfig) else None
    allowed = own or settings.config.web or WebConfig("", 0)
    return site(
        desk, allowed, RedisAnswers(line), _forward(rooms, own, ops), rooms.streams,
        _pages(rooms, desk, access), __version__,
    )  # fmt: skip


def _forward(rooms: Rooms, own: WebConfig | None, ops: Path | None) -> Forward:
    """/metrics and the like: the relay's, which count this process too, or this process's own."""
    if ops:
        return Forward(lambda: f"unix:{ops}", rooms.store.ping)
    settings, ping = rooms.settings, rooms.store.ping
    counted = partial(counts, rooms.metrics, settings, ping, lambda: settings.failed)
    return Forward(lambda: _ops_beside(settings.config.data_dir, own), ping, counted)


def _pages(rooms: Rooms, desk: Desk, tokens: Access) -> App:
    clock, line = rooms.clock, rooms.store.line
    shelves = (RedisUserShelf(line), RedisSessionShelf(line), RedisAttempts(line))
    pages = PagesDesk(
        settings=rooms.settings,
        store=rooms.store,
        changes=desk.changes,
        audit=desk.audit,
        clock=clock,
        sign_in=SigningIn(*shelves, SystemClock()),
        tokens=tokens,
        history=RedisHistory(line),
        recent=RedisRecent(line),
        outbox=desk.outbox,
        domains=desk.domains,
        policies=PolicyDesk(lambda: rooms.settings.config, clock, desk.audit),
        proving=DkimProving(),
        submission=submission(rooms.settings.config),
        records=records,
    )
    return pages_app(pages, lambda: clock.simulated, rooms.background)


def _outbox(rooms: Rooms) -> Outbox:
    """The sentence of `pipeline.py` once more, for mail that comes over HTTP."""
    settings, clock, config, metrics = (
        rooms.settings, rooms.clock, rooms.settings.config, rooms.metrics
    )  # fmt: skip
    store = MeasuredStore(rooms.store, metrics)
    sessions = Sessions(rooms.store.instances.own)
    insisting = Insisting(rooms.background)
    charging = Charging(
        store, rooms.store.instances, clock, insisting, sessions.is_alive, rooms.providers
    )
    sealed = SealedRing(rooms.domains.vault)
    signer = MeasuredSigner(WatchedSigner(DkimSigner(SystemClock(), sealed=sealed)), metrics)
    preparing = Preparing(config.hostname, clock, signer)
    classifying = told(partial(classify, received_limit=config.limits.received))
    room = (settings, classifying, charging, preparing, rooms.upstreams)
    relay = MeasuredRelay(
        Pipeline(*room, Splitting(*room)),
        metrics,
        addresses=config.log.addresses,
        ended=Notebook(RedisRecent(rooms.store.line), clock, rooms.background).note,
    )
    batches = Batching(
        settings, classifying, charging, store, preparing, rooms.upstreams, relay.telling_of
    )
    return Outbox(relay, batches, sessions, rooms.background, clock, config.limits.message_bytes)


def _ops_beside(data_dir: Path, own: WebConfig | None) -> str | None:
    """Where the relay beside this process answers /metrics and the like."""
    serving = presence_in(data_dir)
    if serving is None or (own and serving.web == f"{own.host}:{own.port}"):
        return None
    return serving.web
