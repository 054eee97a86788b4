"""MIME structures whose bytes must not change: signed, encrypted, encoded, attached."""

from __future__ import annotations

from base64 import encodebytes

from tests.corpus.parts import ordinary, with_body

_MIME = b"MIME-Version: 1.0"


def structures(domain: str) -> dict[str, bytes]:
    """Name → message."""
    return {
        name: with_body(domain, body.replace(b"\n", b"\r\n"), _MIME, *fields)
        for name, (fields, body) in {**_signed(), **_encoded(), **_nested()}.items()
    } | {"a message in a message": _attached(domain)}


_Made = dict[str, tuple[tuple[bytes, ...], bytes]]


def _signed() -> _Made:
    smime = (
        b'Content-Type: multipart/signed; protocol="application/pkcs7-signature";\r\n'
        b' micalg=sha-256; boundary="s"'
    )
    return {
        "S/MIME signed": (
            (smime,),
            (
                b"--s\nContent-Type: text/plain\n\nsigned  text \n--s\n"
                b"Content-Type: application/pkcs7-signature; name=smime.p7s\n"
                b"Content-Transfer-Encoding: base64\n\nMIIB\n--s--\n"
            ),
        ),
        "S/MIME encrypted": (
            (
                b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data",
                b"Content-Transfer-Encoding: base64",
                b"Content-Disposition: attachment; filename=smime.p7m",
            ),
            encodebytes(bytes(range(256)) * 8),
        ),
        "PGP/MIME encrypted": (
            (
                b'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=p',
            ),
            (
                b"--p\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--p\n"
                b"Content-Type: application/octet-stream\n\n-----BEGIN PGP MESSAGE-----\n\nhQEM\n=abcd\n"
                b"-----END PGP MESSAGE-----\n--p--\n"
            ),
        ),
        "PGP inline": (
            (b"Content-Type: text/plain",),
            (
                b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n- -- \ntext  \n"
                b"-----BEGIN PGP SIGNATURE-----\n\niQEz\n-----END PGP SIGNATURE-----\n"
            ),
        ),
    }


def _encoded() -> _Made:
    return {
        "quoted-printable soft breaks": (
            (b"Content-Transfer-Encoding: quoted-printable",),
            b"a very long =\nline with =20\nand caf=C3=A9 =\n\n=\n.\n",
        ),
        "uuencode": (
            (b"Content-Type: text/plain",),
            b'begin 644 a.txt\n.:&5L;&\\@=V]R;&0A"@``\n`\nend\n',
        ),
        "a base64 image": (
            (b"Content-Type: image/png", b"Content-Transfer-Encoding: base64"),
            encodebytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 300),
        ),
        "a calendar invitation": (
            (b"Content-Type: text/calendar; method=REQUEST; charset=utf-8",),
            (
                b"BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nSUMMARY:Tea\n  with a fold\n"
                b"END:VEVENT\nEND:VCALENDAR\n"
            ),
        ),
    }


def _nested() -> _Made:
    depth = 30
    opening = b"".join(
        b"--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n" % (n, n + 1) for n in range(depth)
    )
    closing = b"".join(b"\n--b%d--\n" % n for n in range(depth, -1, -1))
    return {
        "a nested multipart": (
            (b"Content-Type: multipart/mixed; boundary=b0",),
            opening + b"--b%d\n\ninnermost\n" % depth + closing,
        ),
        "text and HTML": (
            (b'Content-Type: multipart/alternative;\r\n\tboundary="=_ x "',),
            (
                b"preamble\n--=_ x \nContent-Type: text/plain\n\nhi\n--=_ x \n"
                b"Content-Type: text/html\n\n<p>hi\t</p>  \n--=_ x --\nepilogue\n\n\n"
            ),
        ),
        "a boundary that never comes": (
            (b"Content-Type: multipart/mixed; boundary=never",),
            b"--other\n\ntext\n",
        ),
        "a delivery report": (
            (b"Content-Type: multipart/report; report-type=delivery-status; boundary=r",),
            (
                b"--r\n\nIt failed.\n--r\nContent-Type: message/delivery-status\n\n"
                b"Reporting-MTA: dns; a.example\n\nFinal-Recipient: rfc822; b@c.example\n"
                b"Action: failed\nStatus: 5.1.1\n--r--\n"
            ),
        ),
    }


def _attached(domain: str) -> bytes:
    inner = b"From: other@evil.example\r\nSubject: inner\r\n\r\ninner text\r\n"
    return ordinary(domain) + _MIME + b"\r\nContent-Type: message/rfc822\r\n\r\n" + inner
