"""What the client hears of an upstream that has taken nothing."""

import pytest

from relay.core.reply import Reply
from relay.ports.upstream import Lacks, SaidNo, Unreachable
from relay.transaction.verdicts import refusal_of

TOO_LARGE = "message of 9 bytes exceeds the next hop's limit of 8"


@pytest.mark.parametrize(
    ("refusal", "reply"),
    [
        (SaidNo(Reply(550, "1.1", "who?"), "x@y.example"), "550 5.1.1 <x@y.example>: who?"),
        (SaidNo(Reply(421, "3.2", "closing")), "451 4.3.2 closing"),
        (Unreachable("timed out"), "451 4.4.1 "),
        (Lacks("SMTPUTF8"), "550 5.6.7 the next hop does not offer SMTPUTF8"),
        (Lacks("8BITMIME"), "554 5.6.3 the next hop does not offer 8BITMIME"),
        (Lacks("SIZE", TOO_LARGE), f"552 5.3.4 {TOO_LARGE}"),
    ],
)
def test_every_refusal_has_its_code_and_enhanced_code(refusal, reply):
    assert str(refusal_of(refusal).reply()).startswith(reply)
