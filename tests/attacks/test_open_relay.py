"""Nobody relays who is not a tenant, in any shape of address; and no tenant as another domain."""

from __future__ import annotations

import pytest

from tests.attacks.conftest import RIVAL, SENDER, STRANGER, Besiege, Besieged
from tests.harness.relay_config import DOMAIN
from tests.harness.wire import Wire, mail

SENDERS = {
    "plain": "<spam@elsewhere.example>",
    "null": "<>",
    "as the tenant": f"<{SENDER}>",
    "as postmaster here": "<postmaster@relay.example.net>",
    "no domain": "<root>",
    "address literal": "<a@[127.0.0.1]>",
    "localhost": "<a@localhost>",
}
RECIPIENTS = {
    "plain": "<victim@receiver.example>",
    "percent hack": f"<victim%receiver.example@{DOMAIN}>",
    "percent hack, literal": "<victim%receiver.example@[127.0.0.1]>",
    "source route": f"<@{DOMAIN}:victim@receiver.example>",
    "two hops": f"<@relay.example.net,@{DOMAIN}:victim@receiver.example>",
    "quoted": '<"victim@receiver.example">',
    "quoted at us": f'<"victim@receiver.example"@{DOMAIN}>',
    "quoted percent": f'<"victim%receiver.example"@{DOMAIN}>',
    "bang path": f"<receiver.example!victim@{DOMAIN}>",
    "bang path alone": "<receiver.example!victim>",
    "literal": "<victim@[127.0.0.1]>",
    "v6 literal": "<victim@[IPv6:::1]>",
    "no domain": "<victim>",
    "postmaster": "<postmaster>",
    "two ats": f"<victim@receiver.example@{DOMAIN}>",
    "no brackets": "victim@receiver.example",
    "trailing dot": f"<victim@receiver.example@{DOMAIN}.>",
    "homograph": "<victim@\u0430cme.example>",
}
FOREIGN = {
    "another domain": "<a@elsewhere.example>",
    "another tenant": f"<a@{RIVAL}>",
    "a parent domain": "<a@acme.example>",
    "a subdomain": f"<a@x.{DOMAIN}>",
    "a longer name": f"<a@{DOMAIN}.evil.example>",
    "a name that ends alike": f"<a@x{DOMAIN}>",
    "percent hack": f"<a%{DOMAIN}@evil.example>",
    "source route": f"<@{DOMAIN}:a@evil.example>",
    "quoted": f'<"a@{DOMAIN}"@evil.example>',
    "two ats": f"<a@{DOMAIN}@evil.example>",
    "bang path": f"<{DOMAIN}!a@evil.example>",
    "literal": "<a@[127.0.0.1]>",
    "no domain": "<a>",
    "full width": "<a@\uff4eews.acme.example> SMTPUTF8",
    "cyrillic": "<a@news.\u0430cme.example> SMTPUTF8",
    "dot leader": "<a@news\u3002acme.example> SMTPUTF8",
    "zero width": "<a@news.ac\u200bme.example> SMTPUTF8",
    "nul": f"<a@evil.example\0@{DOMAIN}>",
    "a space": f"<a@evil.example @{DOMAIN}>",
}


@pytest.fixture(scope="module")
def besieged(besiege: Besiege) -> Besieged:
    return besiege()


@pytest.mark.parametrize("sender", SENDERS.values(), ids=SENDERS)
def test_a_stranger_relays_to_nobody(besieged: Besieged, sender: str) -> None:
    for recipient in RECIPIENTS.values():
        with besieged.wire(source=STRANGER) as wire:
            assert wire.do(f"MAIL FROM:{sender}").code in {501, 530, 550, 553}
            assert wire.do(f"RCPT TO:{recipient}").code >= 500
            assert wire.do("DATA").code >= 500
    assert besieged.taken() == 0
    assert set(besieged.sink.sink.verbs()) <= {"EHLO", "QUIT"}, "more than the relay's own probe"


@pytest.mark.parametrize("sender", FOREIGN.values(), ids=FOREIGN)
def test_a_tenant_has_no_envelope_of_another_domain(besieged: Besieged, sender: str) -> None:
    with besieged.wire() as wire:
        assert wire.do(f"MAIL FROM:{sender}").code in {500, 501, 550, 553}
        assert wire.do("RCPT TO:<victim@receiver.example>").code >= 500


@pytest.mark.parametrize("recipient", RECIPIENTS.values(), ids=RECIPIENTS)
def test_a_recipient_is_passed_on_as_it_stands_or_refused(
    besieged: Besieged, recipient: str
) -> None:
    before = besieged.taken()
    with besieged.wire() as wire:
        assert wire.do(f"MAIL FROM:<{SENDER}>").code == 250
        reply = wire.do(f"RCPT TO:{recipient}")
        if reply.code != 250:
            assert reply.code in {501, 553}, reply
            return
        wire.hand_in(mail(SENDER))
        assert wire.read().code == 250
    [message] = besieged.sink.sink.messages[before:]
    bare = recipient.strip("<>")
    without_route = bare.partition(":")[2] if bare.startswith("@") else bare
    assert message.rcpts == [without_route]


def test_a_credential_is_good_for_its_tenants_domains_only(besieged: Besieged) -> None:
    with besieged.wire(source=STRANGER) as wire:
        assert wire.auth_plain("rival", besieged.rival.token).code == 235
        assert wire.send(SENDER, "v@receiver.example", mail(SENDER)).code == 550
        assert wire.send(f"a@{RIVAL}", "v@receiver.example", mail(SENDER)).code == 550
        assert wire.send("", "v@receiver.example", mail(SENDER)).code == 550
        own = f"a@{RIVAL}"
        assert wire.send(own, "v@receiver.example", mail(own)).code == 250


def test_a_credential_takes_the_place_of_the_network(besieged: Besieged) -> None:
    """From an address of acme, but logged in as rival: rival it is."""
    with besieged.wire() as wire:
        assert wire.auth_plain("rival", besieged.rival.token).code == 235
        assert wire.send(SENDER, "v@receiver.example", mail(SENDER)).code == 550


def test_acting_for_somebody_else_is_no_way_in(besieged: Besieged) -> None:
    import base64

    for acts_for in ("acme", "root", "rival@x"):
        with besieged.wire(source=STRANGER) as wire:
            plain = f"{acts_for}\0rival\0{besieged.rival.token}"
            token = base64.b64encode(plain.encode()).decode()
            assert wire.do(f"AUTH PLAIN {token}").code == 535
            assert wire.do(f"MAIL FROM:<{SENDER}>").code == 530


def test_auth_in_the_mail_parameter_gives_no_rights(besieged: Besieged) -> None:
    with Wire(besieged.relay.port, source=STRANGER) as wire:
        assert wire.do(f"MAIL FROM:<{SENDER}> AUTH={SENDER}").code == 530
