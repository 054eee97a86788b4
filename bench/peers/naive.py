"""The naive relay: an SMTP relay with a daily cap as one writes it in an afternoon.

aiosmtpd takes the message, a key in Redis says how much was sent today, dkimpy signs, aiosmtplib
sends, the key is counted up. It is the floor of the benchmark, written plainly and not to lose:
one process, one connection to the upstream for each message, check and then act.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
from datetime import UTC, datetime
from pathlib import Path

import aiosmtplib
import dkim
from aiosmtpd.smtp import SMTP, Envelope, Session
from redis.asyncio import Redis

UPSTREAM_S = 60
TWO_DAYS_S = 172_800
HEADERS = (b"from", b"to", b"subject", b"date", b"message-id")
log = logging.getLogger("naive")


class Relay:
    """The handler of aiosmtpd."""

    def __init__(self, given: argparse.Namespace) -> None:
        self._given = given
        self._key = given.key.read_bytes()
        self._redis = Redis(host="127.0.0.1", port=given.redis, socket_timeout=5)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802, ARG002
        domain = (envelope.mail_from or "").rpartition("@")[2]
        counter = f"sent:{domain}:{datetime.now(UTC):%Y-%m-%d}"
        sent = int(await self._redis.get(counter) or 0)
        if sent + len(envelope.rcpt_tos) > self._given.cap:
            return f"451 4.7.1 daily limit of {domain} reached"
        await self._send(envelope)
        await self._redis.incrby(counter, len(envelope.rcpt_tos))
        await self._redis.expire(counter, TWO_DAYS_S)
        log.info("sent from %s to %d recipients", domain, len(envelope.rcpt_tos))
        return "250 OK"

    async def _send(self, envelope: Envelope) -> None:
        content = envelope.content
        assert isinstance(content, bytes)
        signature = dkim.sign(
            content, b"s1", self._given.domain.encode(), self._key, include_headers=HEADERS
        )
        await aiosmtplib.send(
            signature + content, sender=envelope.mail_from, recipients=envelope.rcpt_tos,
            hostname="127.0.0.1", port=self._given.upstream, start_tls=False, timeout=UPSTREAM_S,
        )  # fmt: skip


async def main(given: argparse.Namespace) -> None:
    relay, ended = Relay(given), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    server = await loop.create_server(
        lambda: SMTP(relay, hostname="relay.example.net"), "127.0.0.1", given.port, backlog=500
    )
    await ended.wait()
    server.close()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="naive", description="a relay with a naive daily cap")
    for name in ("port", "upstream", "redis", "cap"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--domain", required=True)
    parser.add_argument("--key", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    asyncio.run(main(arguments()))
