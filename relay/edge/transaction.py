"""What a client has said of a message so far: from its MAIL to its outcome."""

from __future__ import annotations

from typing import NamedTuple

from relay.core.mail.message import Client, Envelope, Recipient
from relay.core.reply import Reply
from relay.edge.commands import Mail
from relay.edge.data import Content
from relay.ports.relay import SplitTransaction


class Transaction:
    """An envelope in the making.

    `refusal` is what every recipient is answered, once there; `split` takes them one by one
    instead (there is an `opening`, the envelope of the first, once the relay was asked which it
    is). `content` has come in since `began_s` of the loop's clock.
    """

    __slots__ = (
        *("began_s", "client", "content", "mail", "opening", "recipients", "refusal"),
        "split",
    )

    def __init__(self, client: Client, mail: Mail) -> None:
        self.client = client
        self.mail = mail
        self.recipients: list[Recipient] = []
        self.refusal: Reply | None = None
        self.opening: Envelope | None = None
        self.split: SplitTransaction | None = None
        self.content: Content | None = None
        self.began_s = 0.0

    @property
    def was_refused(self) -> bool:
        """Whether recipients were named, and none was accepted."""
        return self.refusal is not None or (self.split is not None and not self.recipients)

    def envelope(self) -> Envelope:
        """The envelope with all recipients."""
        if self.opening is not None and self.opening.recipients == tuple(self.recipients):
            return self.opening
        return self.envelope_to(*self.recipients)

    def envelope_to(self, *recipients: Recipient) -> Envelope:
        """The envelope with these recipients."""
        mail = self.mail
        return Envelope(
            mail_from=mail.address,
            recipients=recipients,
            body=mail.body,
            smtputf8=mail.smtputf8,
            ret=mail.ret,
            envid=mail.envid,
        )


class Sender(NamedTuple):
    """A MAIL that was accepted: nearly always the next one of its session says the same.

    `client` is new whenever the session is identified anew, or the directory is another one:
    what was checked by the old one does not count then. `speaker` is whom the mail is sent for.
    """

    argument: str
    client: Client
    speaker: Client
    mail: Mail
