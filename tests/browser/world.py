"""A relay with a fortnight behind it, and the pages beside it: what the browser tests look at.

Every number that a page shows here came about by mail: the clock is moved from day to day and
messages are sent.
"""

from __future__ import annotations

import asyncio
import smtplib
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from relay.admin.changing import Changing
from relay.admin.users import Users
from relay.cli.tools import open_tools
from relay.core.quota.changes import Verb
from relay.settings.load import load_config
from relay.store.shelves.audit_log import RedisAuditLog
from relay.store.shelves.users import RedisUserShelf
from tests.harness.clients import letter
from tests.harness.dns import DnsThread
from tests.harness.relay_config import RelayConfig, calendar
from tests.harness.relay_process import RelayProcess
from tests.harness.web_process import WebProcess

PASSWORD = "correct horse battery staple"
CLINIC = "clinic.acme.example"
NEWS = "news.acme.example"
PAUSED = "paused.acme.example"
DONE = "done.acme.example"
FRESH = "fresh.acme.example"
SIGNED = "signed.acme.example"
GLOBEX = "mail.globex.example"
TRIED = ("try1.globex.example", "try2.globex.example", "try3.globex.example")
"""Routes that tests change."""
VAST = "vast.globex.example"
EMPTY = "empty"
USERS = {"olga": None, "tina": "acme", "emil": EMPTY, "lock": "acme"}
"""By name: the tenant, None for an operator."""

# Seed 004: 50 a day to 200, 100 to 500, 500 to 1,500. The last of these days crosses 1,500.
CLINIC_DAYS = (50, 50, 50, 50, 100, 100, 100, 500, 500)
NEWS_DAYS = (20, 18, 40, 35, 60, 12, 80, 0, 100)

PROVIDERS = {"google": {"share": "50%"}, "default": {"share": "80%"}}


def config(dns: DnsThread) -> RelayConfig:
    """Three tenants; one of them has nothing yet."""
    ramp = calendar(20, 20, 40, 40, 60, 60, 80, 80, 100, 120, 150, "unlimited", providers=PROVIDERS)
    names = {CLINIC: "lifetime-tiers", NEWS: "ramp", PAUSED: "ramp", DONE: "ramp", FRESH: "ramp"}
    acme = {name: _route(policy) for name, policy in names.items()}
    keys = [{"selector": name, "key": f"var/dkim/signed.{name}.pem"} for name in ("s1", "s2")]
    acme[SIGNED] = _route("ramp") | {"dkim": keys}
    globex = {name: _route("ramp") for name in (GLOBEX, *TRIED)} | {TRIED[2]: _route("tried")}
    globex[VAST] = _route("vast")
    tenants = {
        "acme": {"networks": ["127.0.0.0/8"], "domains": acme},
        "globex": {"networks": ["10.9.0.0/16"], "domains": globex},
        EMPTY: {
            "brand": {"name": "Emil Mail", "logo": "logo.png", "colour": "#ffd400"},
            "networks": ["10.8.0.0/16"],
            "domains": {},
        },
    }
    return RelayConfig(
        policies={"ramp": ramp, "tried": calendar(30, 60), "vast": calendar(10**7, 10**9)},
        more={"tenants": tenants, "nameservers": [dns.address]},
    )


def _route(policy: str) -> dict[str, Any]:
    return {"routes": [{"upstream": "outbound", "policy": policy}]}


@dataclass
class World:
    """The relay and the web process, running."""

    relay: RelayProcess
    web: WebProcess
    dns: DnsThread

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.web.port}"

    def send(self, domain: str, recipients: int, to: str = "example.com") -> int:
        """One message to so many; the code of the last reply."""
        message = letter(f"news@{domain}", f"list@{to}")
        everybody = [f"r{n}@{to}" for n in range(recipients)]
        with smtplib.SMTP("127.0.0.1", self.relay.port, timeout=30) as session:
            try:
                session.send_message(message, to_addrs=everybody)
            except smtplib.SMTPDataError as error:
                return error.smtp_code
            except smtplib.SMTPRecipientsRefused as error:
                return next(iter(error.recipients.values()))[0]
        return 250

    async def _operate(self) -> None:
        """Users, a pause and a graduation, as the command line makes them, in one go."""
        settings = load_config(self.relay.config_path, {})
        async with open_tools(settings) as tools:
            users = Users(RedisUserShelf(tools.line), tools.clock, "command line (root)")
            for name, tenant in USERS.items():
                assert await users.add(name, tenant, PASSWORD)
            changing = Changing(tools.store, RedisAuditLog(tools.line), tools.clock)
            for verb, domain in ((Verb.PAUSE, PAUSED), (Verb.GRADUATE, DONE)):
                route = settings.directory.domains[domain].routes[0]
                told = {"actor": "command line (root)", "reason": "bounces at google"}
                assert (await changing.change(verb, route, "acme", **told)).is_done

    def live_a_fortnight(self) -> None:
        """Nine days of mail, and what an operator did to two of the routes."""
        for domain in (PAUSED, DONE):
            assert self.send(domain, 5) == 250
        for clinic, news in zip(CLINIC_DAYS, NEWS_DAYS, strict=True):
            if (clinic, news) != (CLINIC_DAYS[0], NEWS_DAYS[0]):
                self.relay.clock.move(days=1)
            assert self.send(CLINIC, clinic) == 250
            half = news // 2
            assert not news or self.send(NEWS, half, "gmail.com") == 250
            assert not news or self.send(NEWS, news - half) == 250
        assert self.send(NEWS, 30) == 451
        assert self.send(CLINIC, 1) == 451
        asyncio.run(self._operate())


def small_png() -> bytes:
    """Two pixels by two, all of one grey."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    head = struct.pack(">IIBBBBB", 2, 2, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\x00\x80\x80" * 2)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def write_ed25519(path: Path) -> None:
    """A new key; the other one of the domain is made by the relay, with RSA."""
    path.parent.mkdir(parents=True)
    path.touch(mode=0o600)
    key = Ed25519PrivateKey.generate()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def started(home: Path) -> World:
    """The world, with its users; whoever asks for it ends it."""
    dns = DnsThread()
    relay = RelayProcess(home, config(dns))
    (home / "logo.png").write_bytes(small_png())
    write_ed25519(home / "var" / "dkim" / "signed.s2.pem")
    world = World(relay, WebProcess(relay), dns)
    try:
        relay.start()
        world.web.start()
        world.live_a_fortnight()
    except BaseException:
        ended(world)
        raise
    return world


def ended(world: World) -> None:
    """End both processes, and the DNS."""
    world.web.end()
    world.relay.end()
    world.dns.end()
