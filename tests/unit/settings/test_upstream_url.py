"""The URLs of upstreams."""

import pytest

from relay.core.config import Security, SmtpHost
from relay.settings.problems import Wrong
from relay.settings.upstream_url import Maildir, parse_upstream_url


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("smtp://mx.example", SmtpHost("mx.example", 25, Security.NONE)),
        ("smtp://mx.example:2525", SmtpHost("mx.example", 2525, Security.NONE)),
        ("SMTP://MX.example/", SmtpHost("mx.example", 25, Security.NONE)),
        ("smtp+opportunistic://h", SmtpHost("h", 25, Security.OPPORTUNISTIC)),
        ("smtp+starttls://h", SmtpHost("h", 587, Security.STARTTLS)),
        ("smtps://h", SmtpHost("h", 465, Security.IMPLICIT)),
        ("smtps://u:p@h:4650", SmtpHost("h", 4650, Security.IMPLICIT, "u", "p")),
        (
            "smtps://u%40x.org:p%3A%2f%25@h",
            SmtpHost("h", 465, Security.IMPLICIT, "u@x.org", "p:/%"),
        ),
        ("smtps://a@b:p:q@h", SmtpHost("h", 465, Security.IMPLICIT, "a@b", "p:q")),
        ("smtps://u:%C3%A9@h", SmtpHost("h", 465, Security.IMPLICIT, "u", "é")),
        ("smtp://[::1]:1025", SmtpHost("::1", 1025, Security.NONE)),
        ("smtp://u:p@[::1]", SmtpHost("::1", 25, Security.NONE, "u", "p")),
        ("smtp://u:p@localhost", SmtpHost("localhost", 25, Security.NONE, "u", "p")),
        ("smtp://u:p@127.0.0.9", SmtpHost("127.0.0.9", 25, Security.NONE, "u", "p")),
        ("smtp://mail_hog:1025", SmtpHost("mail_hog", 1025, Security.NONE)),
        ("maildir:var/out", Maildir("var/out")),
        ("maildir:/var/out", Maildir("/var/out")),
        ("maildir:///var/out", Maildir("/var/out")),
    ],
)
def test_a_url_names_host_port_security_and_login(url, host):
    assert parse_upstream_url(url) == host


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h",
        "h:25",
        "http://h",
        "smtp:h",
        "smtp://",
        "smtp://:25",
        "smtp://h:x",
        "smtp://h:0",
        "smtp://h/path",
        "smtp://::1",
        "smtps://u@h",
        "smtps://:p@h",
        "smtps://u:@h",
        "smtps://@h",
        "smtps://u:%zz@h",
        "smtps://u:%ff@h",
        "smtps://u:a/b@h",
        "smtp://u:p@h",
        "maildir:",
        "smtp+opportunistic://u:p@h",
        "smtp://[::1",
        "smtp://h?x",
        "smtp://h#x",
    ],
)
def test_what_is_no_url_is_refused_without_quoting_it(url):
    with pytest.raises(Wrong):
        parse_upstream_url(url)


def test_a_password_does_not_show():
    assert "hunter2" not in repr(parse_upstream_url("smtps://u:hunter2@h"))
