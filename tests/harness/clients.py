"""The mail clients of real applications, each sending one message as its users do.

Every function returns the `Answer` that its user would see. None of them tries again.
"""

from __future__ import annotations

import json
import os
import re
import smtplib
import ssl
import subprocess
import sys
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path

NODE = Path(__file__).parent / "node"
TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Answer:
    """The last reply of the server: `text` is what stands behind the code."""

    ok: bool
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Login:
    """Credentials, and the authority that the server's certificate is checked against."""

    username: str
    password: str
    ca_file: Path


def letter(sender: str, recipient: str, subject: str = "News") -> EmailMessage:
    """A small message as an application composes it."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = subject
    message["Message-ID"] = make_msgid(domain=sender.partition("@")[2])
    message.set_content("Hello,\n\nthis is what is new.\n")
    return message


def send_smtplib(port: int, sender: str, recipient: str, login: Login | None = None) -> Answer:
    """smtplib, with STARTTLS and AUTH where there is a login."""
    try:
        with smtplib.SMTP("localhost", port, timeout=TIMEOUT_S) as session:
            if login:
                session.starttls(context=ssl.create_default_context(cafile=login.ca_file))
                session.login(login.username, login.password)
            session.send_message(letter(sender, recipient))
    except smtplib.SMTPResponseException as error:
        return Answer(ok=False, code=error.smtp_code, text=_text(error.smtp_error))
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
        return Answer(ok=False, code=code, text=_text(text))
    return Answer(ok=True, code=250, text="")


def _text(answer: bytes | str) -> str:
    return answer.decode() if isinstance(answer, bytes) else answer


def send_swaks(port: int, sender: str, recipient: str, login: Login | None = None) -> Answer:
    """swaks; its transcript marks what the server said with `<-` or `<~`, errors with `**`."""
    command = ["swaks", "--server", "127.0.0.1", "--port", str(port), "--timeout", "30"]
    command += ["--from", sender, "--to", recipient, "--header", "Subject: News"]
    if login:
        command += ["--tls", "--tls-ca-path", str(login.ca_file), "--tls-verify"]
        command += ["--auth", "PLAIN", "-au", login.username, "-ap", login.password]
    done = _run(command)
    replies = re.findall(r"^<(?:-|~|\*\*|~\*)  ?(\d{3}) (.*)$", done.stdout, re.MULTILINE)
    assert replies, done.stdout + done.stderr
    failed = [reply for reply in replies if reply[0][0] in "45"]
    code, text = (failed or [reply for reply in replies if reply[0] == "250"])[-1]
    return Answer(ok=done.returncode == 0, code=int(code), text=text)


def send_msmtp(
    port: int, sender: str, recipient: str, home: Path, login: Login | None = None
) -> Answer:
    """msmtp with a configuration file of its own."""
    lines = ["account default", "host localhost", f"port {port}", f"from {sender}", "timeout 30"]
    if login:
        lines += ["tls on", "tls_starttls on", f"tls_trust_file {login.ca_file}"]
        lines += ["auth plain", f"user {login.username}", f"password {login.password}"]
    config = home / f"msmtprc-{port}"
    config.touch(mode=0o600)
    config.write_text("\n".join(lines) + "\n")
    text = letter(sender, recipient).as_string()
    done = _run(["msmtp", "-C", str(config), recipient], text=text)
    found = re.search(r"server message: (\d{3}) (.*)", done.stderr)
    if done.returncode == 0:
        return Answer(ok=True, code=250, text="")
    assert found, done.stderr
    return Answer(ok=False, code=int(found[1]), text=found[2])


def send_nodemailer(port: int, sender: str, recipient: str, login: Login | None = None) -> Answer:
    """nodemailer's `sendMail`."""
    transport: dict[str, object] = {"host": "localhost", "port": port, "ignoreTLS": login is None}
    if login:
        transport |= {"requireTLS": True, "tls": {"ca": [login.ca_file.read_text()]}}
        transport |= {"auth": {"user": login.username, "pass": login.password}}
    message = {"from": sender, "to": recipient, "subject": "News", "text": "What is new."}
    order = json.dumps({"transport": transport, "message": message})
    done = _run(["node", str(NODE / "send.mjs")], text=order)
    assert done.returncode == 0, f"{done.stderr}\nis nodemailer installed (npm --prefix tests ci)?"
    return Answer(**json.loads(done.stdout))


def send_django(port: int, sender: str, recipient: str, login: Login | None = None) -> Answer:
    """Django's `send_mail`, in a process of its own because settings are per process."""
    order = {"port": port, "sender": sender, "recipient": recipient}
    if login:
        order |= {"user": login.username, "password": login.password}
    done = _run(
        ["python", "-m", "tests.harness.django_send"],
        text=json.dumps(order),
        env={"SSL_CERT_FILE": str(login.ca_file)} if login else {},
    )
    assert done.returncode == 0, done.stderr
    return Answer(**json.loads(done.stdout))


def _run(
    command: list[str], text: str = "", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    if command[0] == "python":
        command = [sys.executable, *command[1:]]
    return subprocess.run(
        command,
        input=text,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S + 10,
        check=False,
        cwd=Path(__file__).parents[2],
        env={**os.environ, **(env or {})},
    )
