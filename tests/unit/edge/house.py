"""A real listener on a free loopback port, with a recording relay behind it."""

from __future__ import annotations

import asyncio
import gc
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network
from typing import Any

from relay.core.config import Limits, Listener
from relay.core.tenants.tenancy import Credential, Directory, MailClass, Tenant, directory_of
from relay.edge.listeners import Listeners
from relay.edge.memory import Memory
from relay.edge.roster import Roster
from relay.edge.surroundings import Surroundings
from tests.unit.edge.client import Client
from tests.unit.edge.recording import NOW, RecordingObserver, RecordingRelay

CREDENTIAL = Credential("acme", "secret-hash", MailClass.MARKETING)
TENANT = Tenant("acme", credentials=(CREDENTIAL,))
LOCAL = Tenant("local", networks=(ip_network("127.0.0.0/8"),))


class FixedClock:
    def now(self) -> datetime:
        return NOW


@dataclass
class FixedSettings:
    directory: Directory


@dataclass
class House:
    listeners: Listeners
    around: Surroundings
    relay: RecordingRelay
    observer: RecordingObserver
    settings: FixedSettings

    @property
    def port(self) -> int:
        return self.listeners.addresses[0][1]

    async def connect(self, number: int = 0, **options: Any) -> Client:
        return await Client.connect(self.listeners.addresses[number][1], **options)

    async def greeted(self, number: int = 0, **options: Any) -> Client:
        """A client that has said EHLO."""
        client = await self.connect(number, **options)
        assert (await client.read()).code == 220
        assert (await client.do("EHLO client.example")).code == 250
        return client

    async def empty(self) -> None:
        """Wait until every session has ended."""
        async with asyncio.timeout(10):
            await self.around.roster.emptied()


@asynccontextmanager
async def open_house(
    *listeners: Listener,
    limits: Limits | None = None,
    tenants: tuple[Tenant, ...] = (TENANT, LOCAL),
    lacking: tuple[str, ...] = (),
) -> AsyncIterator[House]:
    relay, observer = RecordingRelay(), RecordingObserver()
    settings = FixedSettings(directory_of(list(tenants)))

    def authenticate(username: str, token: str, /) -> tuple[Credential, Tenant] | None:
        found = settings.directory.credentials.get(username)
        return found if found and token == "right" else None

    around = Surroundings(
        hostname="relay.example.net",
        limits=limits or Limits(),
        relay=relay,
        authenticate=authenticate,
        settings=settings,
        clock=FixedClock(),
        observer=observer,
        roster=Roster("r1"),
        memory=Memory(limits or Limits()),
        may_offer=lambda extension: extension not in lacking,
    )
    complaints = _Complaints()
    opened = Listeners(listeners or (Listener("127.0.0.1", 0),), around)
    await opened.start()
    house = House(opened, around, relay, observer, settings)
    try:
        yield house
    finally:
        relay.gate.set()
        await Client.close_all()
        opened.stop_listening()
        await opened.drain(0.2)
        complaints.stop()
    assert complaints.messages == []


class _Complaints(logging.Handler):
    """What the edge or the event loop logged as an error, but for what tests provoke."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []
        logging.getLogger().addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if not message.startswith(("unexpected failure [", "certificate ", "what followed ")):
            self.messages.append(message)

    def stop(self) -> None:
        gc.collect(0)
        logging.getLogger().removeHandler(self)


def trusting(ca_file: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca_file))
    context.check_hostname = False
    return context


async def until(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    """Wait for what no event tells of."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - there is none to wait for
            await asyncio.sleep(0.01)
