"""The mailing of the demonstration: sixty real messages, as an application would make them."""

from __future__ import annotations

import struct
import zlib
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

SENDER = "news@news.acme.example"
COUNT = 60


def picture(red: int, green: int, blue: int) -> bytes:
    """A real PNG, 32 by 32, of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    row = b"\0" + bytes((red, green, blue)) * 32
    header = struct.pack(">IIBBBBB", 32, 32, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(row * 32))
        + chunk(b"IEND", b"")
    )


def recipients(number: int) -> list[str]:
    """Most messages go to one person; the fourth and the ninth to several."""
    several = {3: 3, 8: 2}.get(number, 1)
    return [f"reader{number}.{k}@customer{number % 7}.example" for k in range(several)]


def _newsletter(number: int) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = f"Acme News <{SENDER}>"
    message["To"] = ", ".join(recipients(number))
    message["Subject"] = f"Issue {number + 1}: what is new"
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain="news.acme.example")
    message["List-Unsubscribe"] = f"<https://news.acme.example/unsubscribe/{number}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(f"Hello reader {number},\n\nthis is the text of issue {number + 1}.\n")
    return message


def messages() -> list[tuple[list[str], bytes]]:
    """(recipients, message bytes) sixty times: HTML with a picture, attachments, 8-bit, 1 MB."""
    return [(recipients(number), _content(number)) for number in range(COUNT)]


def _content(number: int) -> bytes:
    message = _newsletter(number)
    match number % 5:
        case 0:
            message.add_alternative(
                f"<h1>Issue {number + 1}</h1><p>Hello!</p><img src='cid:picture'>", subtype="html"
            )
            html = list(message.iter_parts())[-1]
            html.add_related(picture(number * 4, 80, 160), "image", "png", cid="<picture>")
        case 1:
            table = "name;value\r\n" + "".join(f"row {n};{n * n}\r\n" for n in range(200))
            message.add_attachment(table, filename="figures.csv", subtype="csv")
        case 2:
            message.set_content("Grüße aus Köln, ça va très bien — £5 für dich\n", cte="8bit")
        case 3:
            message.set_content(".a line that begins with a dot\n..and another\n" * 40)
        case _:
            size = 750_000 if number == 4 else 4_000
            message.add_attachment(
                bytes(n * 31 % 251 for n in range(size)),
                "application", "octet-stream", filename="data.bin",
            )  # fmt: skip
    return message.as_bytes()
