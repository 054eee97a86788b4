"""Keys, letter by letter: changing one loses what a running store knows."""

from __future__ import annotations

from relay.core.tenants.tenancy import RouteId
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
    assert keys.campaign("news.acme.example", "cd34") == "wr1:{news.acme.example}:campaign:cd34"
    assert keys.unheard("news.acme.example") == "wr1:{news.acme.example}:unheard"
    assert keys.unheard_member("ab12", "i.7") == "ab12:i.7"
    assert keys.instance("abcdef") == "wr1:instance:abcdef"
    assert keys.answer("ab12") == "wr1:answer:ab12"
    assert keys.meter("ab12") == "wr1:meter:ab12"
    assert keys.session("ab12") == "wr1:session:ab12"
    assert keys.attempts("ab12") == "wr1:attempts:ab12"
    assert keys.recent(NEWS) == "wr1:{news.acme.example}:recent:outbound"
    assert keys.USERS == "wr1:{@web}:users"
    assert keys.DOMAINS == "wr1:{@web}:domains"
    assert keys.DOMAIN_MARKS == "wr1:{@web}:domain-marks"
    assert keys.DOMAIN_COUNTS == "wr1:{@web}:domain-counts"
    assert keys.AUDIT == "wr1:{@web}:audit"
    assert keys.TOKENS == "wr1:{@web}:tokens"
    assert keys.TOKENS_USED == "wr1:{@web}:tokens-used"


def test_the_layout_version_is_the_one_that_the_keys_begin_with():
    assert keys.LAYOUT.startswith(f"wr{keys.LAYOUT_VERSION}:")
    assert keys.route(NEWS).startswith(f"wr{keys.LAYOUT_VERSION}:")


def test_what_a_key_is_can_be_told_from_it():
    route = RouteId("a.example", "out.1")
    label = "2026-03-10/Europe/Berlin/07:10"
    family = {
        keys.route(route), keys.slices(route), keys.days(route), keys.sending_days(route),
        keys.qualified_days(route), keys.unheard("a.example"),
    }  # fmt: skip
    for key in (keys.window(route, label), *(family - {keys.unheard("a.example")})):
        assert set(keys.counted_with(key)) == family
        assert keys.tag_of(key) == "a.example"
        assert not keys.is_passing(key)
    message = keys.message("a.example", "f")
    assert keys.counted_with(message) == keys.counted_with(keys.unheard("a.example")) == ()
    assert [key for key in (*family, message) if keys.is_message(key)] == [message]
    assert [key for key in (*family, message) if keys.is_slices(key)] == [keys.slices(route)]
    assert [key for key in (*family, message) if keys.is_route(key)] == [keys.route(route)]
    assert keys.is_passing(keys.touch(keys.route(route)))


def test_what_is_spelled_in_one_go_is_what_each_is_called_alone():
    route = RouteId("a.example", "out")
    assert keys.counted("a.example", "out", "d1") == (
        *(keys.route(route), keys.window(route, "d1"), keys.slices(route), keys.days(route)),
        *(keys.unheard("a.example"), keys.sending_days(route), keys.qualified_days(route)),
    )
