"""Keys, letter by letter: changing one loses what a running store knows."""

from __future__ import annotations

from relay.core.tenancy import RouteId
from relay.store import keys

NEWS = RouteId("news.acme.example", "outbound")


def test_every_key_is_spelled_exactly_like_this():
    label = "2026-03-10/Europe/Berlin/07:00"
    assert keys.LAYOUT == "wr1:layout"
    assert keys.route(NEWS) == "wr1:{news.acme.example}:route:outbound"
    assert keys.window(NEWS, label) == (
        "wr1:{news.acme.example}:window:outbound:2026-03-10/Europe/Berlin/07:00"
    )
    assert keys.slices(NEWS) == "wr1:{news.acme.example}:slices:outbound"
    assert keys.days(NEWS) == "wr1:{news.acme.example}:days:outbound"
    assert keys.message("news.acme.example", "ab12") == "wr1:{news.acme.example}:message:ab12"
    assert keys.unheard("news.acme.example") == "wr1:{news.acme.example}:unheard"
    assert keys.unheard_member("ab12", "i.7") == "ab12:i.7"
    assert keys.instance("abcdef") == "wr1:instance:abcdef"


def test_the_layout_version_is_the_one_that_the_keys_begin_with():
    assert keys.LAYOUT.startswith(f"wr{keys.LAYOUT_VERSION}:")
    assert keys.route(NEWS).startswith(f"wr{keys.LAYOUT_VERSION}:")
