"""SMTP smuggling (2023, CVE-2023-51764 and others): one message in, never two out."""

from __future__ import annotations

import pytest

from tests.unit.edge.house import open_house

ENDS = {
    "LF.LF": b"\n.\n",
    "LF.CRLF": b"\n.\r\n",
    "LF.CR": b"\n.\r",
    "CR.CRLF": b"\r.\r\n",
    "CR.CR": b"\r.\r",
    "CR.LF": b"\r.\n",
    "CRLF.LF": b"\r\n.\n",
    "CRLF.CR": b"\r\n.\r",
    "CRCRLF.CRLF": b"\r\r\n.\r\r\n",
    "CRLF.CRCRLF": b"\r\n.\r\r\n",
    "CRLF.NUL CRLF": b"\r\n.\0\r\n",
    "CRLF NUL.CRLF": b"\r\n\0.\r\n",
    "CR NUL LF.CRLF": b"\r\0\n.\r\n",
    "CRLF.CR NUL LF": b"\r\n.\r\0\n",
    "NUL LF.LF": b"\0\n.\n",
}
SMUGGLED = b"MAIL FROM:<x@acme.example>\r\nRCPT TO:<y@example.org>\r\nDATA\r\nSubject: 2\r\n\r\nz"


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_nothing_but_crlf_dot_crlf_ends_a_message(end):
    async with open_house() as house:
        client = await house.greeted()
        await client.envelope()
        await client.do("DATA")
        await client.write(b"Subject: 1\r\n\r\na" + end + SMUGGLED + b"\r\n.\r\nNOOP\r\n")
        heard = await client.read()
        assert (await client.read()).last == "250 2.0.0 Ok"
        assert len(house.relay.senders) == 1
        if b"\n" in end.replace(b"\r\n", b"") or b"\r" in end.replace(b"\r\n", b""):
            assert heard.last.startswith("550 5.6.11")
            assert house.relay.submissions == []
        else:
            assert heard.code == 250
            assert len(house.relay.submissions) == 1


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_it_makes_no_difference_where_the_packets_end(end):
    async with open_house() as house:
        client = await house.greeted()
        await client.envelope()
        await client.do("DATA")
        for at in range(len(end) + 1):
            await client.write(b"a" + end[:at])
        await client.write(end + SMUGGLED)
        await client.write(b"\r\n.\r\n")
        assert (await client.read()).code in {250, 550}
        assert len(house.relay.senders) == 1
