"""Domains added over the API of a relay, and mail sent from them over SMTP AUTH."""

from __future__ import annotations

import smtplib
import time
from collections import Counter
from typing import Any

from relay.settings.tokens import hash_token, new_token
from tests.harness.clients import letter
from tests.harness.dns import DnsThread
from tests.harness.web_process import ApiAnswer, WebProcess

TOKEN = new_token()
LISTENERS = [{"tls": "none", "auth": "required", "plaintext_auth": "loopback"}]
TENANT = {"credentials": [{"username": "acme", "secret": hash_token(TOKEN)}]}
"""For `RelayConfig`: a tenant that sends with AUTH, over loopback in clear."""

SHARE_OF_A_SECOND_S = 1.0


def send(port: int, domain: str, to: str = "someone@rcpt.example") -> tuple[int, str]:
    """One message on a connection of its own: code and text of what decided."""
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as session:
        session.login("acme", TOKEN)
        try:
            session.send_message(letter(f"news@{domain}", to))
        except smtplib.SMTPSenderRefused as error:
            return error.smtp_code, error.smtp_error.decode()
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()))
            return code, text.decode()
        except smtplib.SMTPDataError as error:
            return error.smtp_code, error.smtp_error.decode()
    return 250, ""


def heard(ports: list[int], domain: str, each: int = 8) -> Counter[int]:
    """The codes of `each` messages to each of `ports`, all on connections of their own."""
    return Counter(send(port, domain)[0] for port in ports for _ in range(each))


def wait_a_second() -> None:
    """As long as a change may take to be in force everywhere."""
    time.sleep(SHARE_OF_A_SECOND_S)


def add(web: WebProcess, name: str, **more: Any) -> dict[str, Any]:
    """POST /api/domains; the domain."""
    made = web.post("/api/domains", {"name": name, "policy": "ramp"} | more)
    assert made.status == 201, made
    return made.json


def verify(web: WebProcess, dns: DnsThread, domain: dict[str, Any]) -> ApiAnswer:
    """Publish all of its records, and have them looked for."""
    dns.publish(domain["records"])
    answer = web.post(f"/api/domains/{domain['name']}/verify")
    wait_a_second()
    return answer
