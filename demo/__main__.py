"""Start the relay with relay.example.yaml, send a mailing, and show what became of it.

`DEMO_EXIT=1` ends it when everything has been shown; else it stays up until Ctrl-C.
Everything it makes is under var/demo, which it empties first.
"""

from __future__ import annotations

import collections
import json
import os
import secrets
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import dkim

from demo.mailing import SENDER, messages

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / "var" / "demo"
CONFIG = HOME / "relay.example.yaml"
CLOCK = HOME / "clock"
DOMAIN = "news.acme.example"
DAY_S = 86_400


def say(text: str = "") -> None:
    print(text, flush=True)


def title(text: str) -> None:
    say(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n== {text}")


def warmup_relay(*words: str) -> list[str]:
    return [sys.executable, "-m", "relay", *words, "--config", str(CONFIG)]


def ask(*words: str, stdin: str = "") -> str:
    command = warmup_relay(*words)
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def free_port(wanted: int) -> int:
    """`wanted` if nothing listens there, else any free port."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    sys.exit("no free port on 127.0.0.1")


def prepare() -> tuple[int, int]:
    """A fresh directory with the example config in it, as it is (but for a port in use)."""
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    smtp, web = free_port(2525), free_port(8025)
    example = (ROOT / "relay.example.yaml").read_text(encoding="utf-8")
    text = example.replace("127.0.0.1:2525", f"127.0.0.1:{smtp}")
    CONFIG.write_text(text.replace("127.0.0.1:8025", f"127.0.0.1:{web}"), encoding="utf-8")
    CLOCK.write_text("0")
    return smtp, web


def serve() -> subprocess.Popen[bytes]:
    with (HOME / "relay.log").open("wb") as log:
        command = warmup_relay("serve", "--clock", str(CLOCK))
        return subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)


def wait_for(relay: subprocess.Popen[bytes], web: int) -> None:
    for _ in range(150):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{web}/readyz", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        if relay.poll() is not None:
            break
    sys.exit(
        f"the relay did not start; {HOME / 'relay.log'} says why:\n"
        + (HOME / "relay.log").read_text(errors="replace")[-4000:]
    )


def send(port: int, letters: list[tuple[list[str], bytes]]) -> tuple[int, collections.Counter[str]]:
    """Send each with smtplib, one connection each, as applications do: (sends taken, replies)."""
    taken, refusals = 0, collections.Counter[str]()
    for to, content in letters:
        try:
            with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
                client.sendmail(SENDER, to, content, mail_options=["BODY=8BITMIME"])
            taken += len(to)
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()))
            refusals[f"{code} {text.decode()}"] += 1
        except smtplib.SMTPResponseException as error:
            refusals[f"{error.smtp_code} {bytes(error.smtp_error).decode()}"] += 1
    return taken, refusals


def published() -> dict[bytes, bytes]:
    """The TXT records as a resolver would answer them, from what `warmup-relay dns` prints."""
    records = json.loads(ask("dns", DOMAIN, "--json"))["records"]
    return {r["name"].encode(): "".join(r["strings"]).encode() for r in records}


def verify() -> tuple[int, int, int]:
    """(messages, sends, valid signatures) in the outbound maildir, by dkimpy."""
    zone = published()
    stored = sorted((HOME / "var" / "outbound" / "new").iterdir())
    sends = valid = 0
    for path in stored:
        raw = path.read_bytes()
        sends += raw.split(b"\r\n\r\n")[0].count(b"X-Envelope-To:")
        if dkim.verify(raw, dnsfunc=lambda name, **_: zone.get(name)):
            valid += 1
        else:
            say(f"  NOT VALID: {path.name}")
    return len(stored), sends, valid


def main_job(smtp: int) -> None:
    letters = messages()
    title(f"A mailing of {len(letters)} messages from {SENDER}, through plain smtplib")
    taken, refusals = send(smtp, letters)
    say(f"  accepted: {taken} sends;  deferred: {sum(refusals.values())} messages, for example")
    for reply in list(refusals)[:1]:
        say(f"    {reply}")
    stored, sends, valid = verify()
    title("What the upstream got")
    say(f"  {stored} messages, {sends} sends; DKIM verified by dkimpy: {valid} of {stored}")
    title("warmup-relay status")
    say(ask("status", DOMAIN).rstrip())
    if taken != sends or valid != stored:
        sys.exit("the demo found a difference between what was accepted and what arrived")


def through_the_days(smtp: int) -> None:
    title("The days go by on a simulated clock; 60 more messages are sent on each")
    say("  day  date        cap        sent  remaining  state")
    number = 1000
    for day in range(8):
        CLOCK.write_text(str(day * DAY_S))
        time.sleep(0.5)
        if day:
            letters = [([f"r{number + n}@customer.example"], _short(number + n)) for n in range(60)]
            number += len(letters)
            send(smtp, letters)
        told = json.loads(ask("status", DOMAIN, "--json"))
        cap, left = told["daily_limit"], told["remaining_today"]
        say(
            f"  {told['warmup_day']:>3}  {_date(told)}  {_cap(cap):>9}  "
            f"{told['emails_sent_today']:>6}  {_cap(left):>9}  {told['state']}"
        )
    CLOCK.write_text(str(14 * DAY_S))
    time.sleep(0.5)
    told = json.loads(ask("status", DOMAIN, "--json"))
    say(
        f"  {told['warmup_day']:>3}  {_date(told)}  {_cap(told['daily_limit']):>9}  "
        f"{told['emails_sent_today']:>6}  {_cap(told['remaining_today']):>9}  {told['state']}"
    )


def look_around(web: int) -> None:
    password = secrets.token_urlsafe(12)
    ask("user", "add", "demo", "--operator", stdin=f"{password}\n")
    address = f"http://127.0.0.1:{web}"
    title("Look around")
    say(f"  dashboard {address}/dashboard   user demo, password {password}")
    say(f"  API       {address}/api/docs")
    say(f"  metrics   {address}/metrics   readiness {address}/readyz")
    say(f"  mail      {HOME / 'var' / 'outbound' / 'new'}")
    say(f"  log       {HOME / 'relay.log'}")


def _short(number: int) -> bytes:
    return (
        f"From: {SENDER}\r\nTo: reader@customer.example\r\nSubject: note {number}\r\n"
        f"Message-ID: <note.{number}@{DOMAIN}>\r\n\r\nHello again.\r\n"
    ).encode()


def _date(told: dict[str, Any]) -> str:
    return str(told["forecast"][0]["date"]) if told["forecast"] else "later     "


def _cap(cap: int | None) -> str:
    return "unlimited" if cap is None else f"{cap:,}"


def main() -> None:
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)  # as Ctrl-C: the relay ends with it
    smtp, web = prepare()
    title(f"Starting the relay: SMTP on 127.0.0.1:{smtp}, web on 127.0.0.1:{web}")
    relay = serve()
    try:
        wait_for(relay, web)
        main_job(smtp)
        through_the_days(smtp)
        look_around(web)
        if not os.environ.get("DEMO_EXIT"):
            say("\nThe relay stays up; Ctrl-C ends it.")
            relay.wait()
    except KeyboardInterrupt:
        say("\nending")
    finally:
        relay.terminate()
        relay.wait(timeout=60)


if __name__ == "__main__":
    main()
