"""The verbs that make a client known: HELO, EHLO, STARTTLS and AUTH, and whom it speaks for.

A tenant is found by credential, else by network. Credentials never travel in clear, but for
loopback clients of a listener that allows it (DESIGN §3, rule 4).
"""

# ruff: noqa: N802 - a verb is found by the name of its method

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Final, NoReturn

from relay.core.config import ListenerAuth, ListenerTls
from relay.core.errors import AuthRequired, BadCredentials, NotPermitted, TlsRequired
from relay.core.mail.message import Client
from relay.core.reply import Reply
from relay.core.tenants.tenancy import Credential, Directory, IPAddress, Tenant
from relay.edge import replies
from relay.edge.auth import MAX_FAILURES, MECHANISMS, Login, delay_s, log_in
from relay.edge.commands import MAX_AUTH_BYTES, parse_domain
from relay.edge.dialogue import Dialogue, Over, Step
from relay.edge.intake import LineTooLong
from relay.edge.refs import protocol_name
from relay.edge.replies import Misspoken, bad_sequence, syntax_error
from relay.edge.surroundings import Door, Surroundings

log = logging.getLogger(__name__)

_OF_UPSTREAMS: Final = ("8BITMIME", "SMTPUTF8", "DSN")


class Identity(Dialogue):
    """A dialogue that knows whom it is with."""

    def __init__(self, door: Door, around: Surroundings, address: IPAddress | None = None) -> None:
        super().__init__(door, around, address)
        self.helo = ""
        self.is_extended = False
        self._credential: Credential | None = None
        self._client: tuple[Directory, Client] | None = None
        self._failures = 0

    def identified(self, *, utf8: bool) -> Client:
        """Whom the session speaks for, by the directory as it is now.

        Raises AuthRequired, or NotPermitted where the listener knows no AUTH at all.
        """
        directory = self.around.settings.directory
        if self._client is None or self._client[0] is not directory:
            self._client = directory, self._identify()
        client = self._client[1]
        return replace(client, protocol=self._protocol(utf8=True)) if utf8 else client

    def _identify(self) -> Client:
        tenant = self._tenant()
        if tenant is None:
            if self.door.listener.auth is not ListenerAuth.NONE:
                raise AuthRequired
            raise NotPermitted("relaying is not permitted from your address")
        credential = self._credential
        return Client(
            tenant=tenant,
            address=str(self.address),
            helo=self.helo,
            protocol=self._protocol(utf8=False),
            username=credential.username if credential else None,
            mail_class=credential.mail_class if credential else None,
        )

    def _tenant(self) -> Tenant | None:
        directory = self.around.settings.directory
        if self._credential is None:
            if self.door.listener.auth is ListenerAuth.REQUIRED:
                return None
            return directory.tenant_at(self.address)
        found = directory.credentials.get(self._credential.username)
        if found is None or found[0] != self._credential:
            self._credential = None  # revoked by a reload since
            return None
        return found[1]

    def _protocol(self, *, utf8: bool) -> str:
        return protocol_name(
            extended=self.is_extended,
            tls=self.has_tls,
            auth=self._credential is not None,
            utf8=utf8,
        )

    # What is offered.

    @property
    def _offers_starttls(self) -> bool:
        return self.door.listener.tls is ListenerTls.STARTTLS and not self.has_tls

    def _may_authenticate(self) -> bool:
        """On this connection, as it is now."""
        listener = self.door.listener
        in_clear = listener.plaintext_auth and self.address.is_loopback
        return listener.auth is not ListenerAuth.NONE and (self.has_tls or in_clear)

    def _offers(self) -> list[str]:
        limits = self.around.limits
        offers = ["PIPELINING", f"SIZE {limits.message_bytes}", "ENHANCEDSTATUSCODES"]
        offers += [f"LIMITS RCPTMAX={limits.recipients}"]
        offers += filter(self.around.may_offer, _OF_UPSTREAMS)
        offers += ["STARTTLS"] if self._offers_starttls else []
        offers += [f"AUTH {MECHANISMS}"] if self._may_authenticate() else []
        return offers

    # The verbs.

    def smtp_HELO(self, argument: str) -> Step | None:
        """RFC 5321 §4.1.1.1."""
        self._introduced(parse_domain(argument), extended=False)
        return self.say_after(self.forget_transaction(), Reply(250, None, self.hostname))

    def smtp_EHLO(self, argument: str) -> Step | None:
        """RFC 5321 §4.1.1.1; what is offered is RFC 2920, 1870, 6152, 6531, 2034, 9422, ...."""
        self._introduced(parse_domain(argument), extended=True)
        offers = Reply(250, None, "\n".join([self.hostname, *self._offers()]))
        return self.say_after(self.forget_transaction(), offers)

    def _introduced(self, helo: str, *, extended: bool) -> None:
        self.helo = helo
        self.is_extended = extended
        self._client = None

    async def smtp_STARTTLS(self, argument: str) -> None:
        """RFC 3207: on success the session begins anew, and nothing said before counts."""
        if argument:
            raise syntax_error("STARTTLS has no arguments")
        if self.has_tls:
            raise bad_sequence("TLS is active already")
        if not self._offers_starttls:
            raise Misspoken(Reply(502, "5.1", "STARTTLS not offered"))
        if step := self.forget_transaction():
            await step
        self._introduced("", extended=False)
        self._credential = None
        self.say(replies.READY_FOR_TLS)
        await self.flush()
        await self.upgrade()

    async def smtp_AUTH(self, argument: str) -> None:
        """RFC 4954 §4."""
        self._check_auth()
        login = await log_in(argument, self._ask)
        if self._is_guessing(login):
            await self._turn_away()
        found = self.around.authenticate(login.username, login.token)
        if found is None or not login.is_for_itself:
            await self._note_failure(login)
            raise BadCredentials
        self._credential, self._client = found[0], None
        self.around.guesses.succeeded(self.address, login.username)
        self.say(replies.AUTHENTICATED)

    def _check_auth(self) -> None:
        if not self.is_extended:
            raise bad_sequence("send EHLO first")
        if self.door.listener.auth is ListenerAuth.NONE:
            raise Misspoken(Reply(502, "5.1", "AUTH not offered"))
        if self._credential or self.is_in_transaction:
            raise bad_sequence("AUTH once, and outside of a transaction")
        if not self._may_authenticate():
            raise TlsRequired

    async def _ask(self, challenge: bytes) -> bytes:
        self.say_raw(b"334 " + challenge)
        await self.flush()
        try:
            line = await self.read_line(MAX_AUTH_BYTES)
        except LineTooLong:
            raise Misspoken(replies.RESPONSE_TOO_LONG) from None
        return line.rstrip(b"\r\n")

    def _is_guessing(self, login: Login) -> bool:
        around = self.around
        now_s = self.loop.time()
        return around.guesses.blocks(self.address, login.username, around.limits, now_s)

    async def _turn_away(self) -> NoReturn:
        """Refuse unseen: a right token is not told from a wrong one."""
        self.around.observer.auth_blocked()
        log.info("authentication from %s refused unseen", self.address)
        await self._hold_back(MAX_FAILURES)
        raise Misspoken(replies.TRY_LOGIN_LATER)

    async def _note_failure(self, login: Login) -> None:
        around, now_s = self.around, self.loop.time()
        before = around.guesses.failed(self.address, login.username, around.limits, now_s)
        around.observer.auth_failed()
        log.warning("authentication from %s failed", self.address)
        log.debug("authentication of %r from %s failed", login.username, self.address)
        await self._hold_back(before)

    async def _hold_back(self, failures: int) -> None:
        """A tarpit: the delay goes by all failures of the address, whatever its connection."""
        self._failures += 1
        if self._failures > MAX_FAILURES:
            raise Over(replies.TOO_MANY_FAILURES)
        await asyncio.sleep(delay_s(max(failures, self._failures)))
