"""`core.domain.normalize_domain`: the one form that domains are compared in."""

import pytest

from relay.core.domain import normalize_domain


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("News.Acme.Example", "news.acme.example"),
        ("example.org.", "example.org"),
        ("localhost", "localhost"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ("1.2.example", "1.2.example"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
    ],
)
def test_a_domain_is_its_lower_case_a_labels(text, name):
    assert normalize_domain(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a..b",
        ".a",
        "-a.example",
        "a-.example",
        "a_b.example",
        "a b",
        "a@b",
        "[1.2.3.4]",
        "127.0.0.1",
        "::1",
        "a" * 64 + ".example",
        ("a" * 60 + ".") * 5,
        "straße.example",
        "a\x00.example",
        "a\n",
        "\udcff.example",
        "x" * 100_000,
        "é" * 70 + ".example",
        "a.example..",
    ],
)
def test_what_is_no_domain_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"domain name|A-label"):
        normalize_domain(text)
