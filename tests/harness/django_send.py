"""Django's `send_mail` as a program: an order in JSON on stdin, the answer on stdout."""

from __future__ import annotations

import json
import smtplib
import sys

from django.conf import settings
from django.core.mail import send_mail


def main() -> None:
    """Send one message and print {"ok", "code", "text"}."""
    order = json.load(sys.stdin)
    settings.configure(
        EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
        EMAIL_HOST="localhost",
        EMAIL_PORT=order["port"],
        EMAIL_HOST_USER=order.get("user", ""),
        EMAIL_HOST_PASSWORD=order.get("password", ""),
        EMAIL_USE_TLS="user" in order,
        EMAIL_TIMEOUT=30,
    )
    print(json.dumps(_send(order["sender"], order["recipient"])))


def _send(sender: str, recipient: str) -> dict[str, object]:
    try:
        sent = send_mail("News", "What is new.", sender, [recipient])
    except smtplib.SMTPResponseException as error:
        return {"ok": False, "code": error.smtp_code, "text": _text(error.smtp_error)}
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
        return {"ok": False, "code": code, "text": _text(text)}
    return {"ok": sent == 1, "code": 250, "text": ""}


def _text(answer: bytes | str) -> str:
    return answer.decode() if isinstance(answer, bytes) else answer


if __name__ == "__main__":
    main()
