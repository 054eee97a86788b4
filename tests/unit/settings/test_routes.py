"""Several routes of a domain: what arrives of them, and what is refused (`excess: overflow`)."""

import pytest

from relay.core.policy.policy import Excess, Sticky
from relay.settings.load import load_config
from relay.settings.policies import read_policies, read_policy
from tests.unit.settings.told import CONFIG, POLICY, config_problems, edited, unmarked

OVERFLOWS = edited(POLICY, "excess: defer", "excess: overflow")
ROUTES = "[{upstream: smart, policy: exempt}]"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "new.yaml").write_text(OVERFLOWS)
    (tmp_path / "policies" / "plain.yaml").write_text(POLICY)
    (tmp_path / "policies" / "broken.yaml").write_text(edited(OVERFLOWS, "cap: 50", "cap: 0"))
    return tmp_path


def problems(folder, routes):
    """Those of the config, and where the marks in it were."""
    (folder / "policies" / "broken.yaml").unlink()
    text, places = unmarked(edited(CONFIG, ROUTES, routes))
    return config_problems(folder, text), places


def test_routes_arrive_in_order_and_all_may_be_walked(folder):
    found, _ = problems(
        folder, "[{upstream: outbound, policy: new}, {upstream: smart, policy: exempt}]"
    )
    assert found == []
    domain = load_config(folder / "relay.yaml", {}).directory.domains["other.example"]
    assert [(route.place, route.name) for route in domain.routes] == [
        (0, "other.example"),
        (1, "other.example@smart"),
    ]
    assert domain.walk == domain.routes
    assert [route.policy.excess for route in domain.routes] == [Excess.OVERFLOW, Excess.DEFER]


def test_overflow_on_the_only_route_is_allowed(folder):
    assert problems(folder, "[{upstream: smart, policy: new}]")[0] == []


def test_a_list_of_what_is_known_says_how_much_it_leaves_out(folder):
    for number in range(30):
        (folder / "policies" / f"own-{number}.yaml").write_text(POLICY)
    [(_, _, told)], _ = problems(folder, "[{upstream: smart, policy: xxxx}]")
    listed = told.partition("(known: ")[2].removesuffix(")").split(", ")
    assert len(listed) == 21
    named = len(read_policies([folder / "policies"]).policies) + len(["exempt"])
    assert listed[-1] == f"… and {named - 20} more"


@pytest.mark.parametrize(
    ("routes", "told"),
    [
        (
            "[{upstream: smart, policy: new}, {upstream: «smart, policy: exempt}]",
            'the upstream "smart" stands in line 31 already',
        ),
        (
            "[{upstream: smart, policy: plain}, «{upstream: outbound, policy: exempt}]",
            'no mail ever comes to this route: "plain" before it does not overflow (say excess: overflow in that policy, or remove this route)',
        ),
        (
            "[{upstream: smart, policy: new}, {upstream: «third, policy: new}]",
            'unknown upstream "third" (known: outbound, smart)',
        ),
        (
            "[{upstream: smart, policy: new}, {upstream: outbound, policy: «nev}]",
            'unknown policy "nev" (did you mean "new"?)',
        ),
        (
            "[{upstream: smart, policy: «nev}, {upstream: outbound, policy: exempt}]",
            'unknown policy "nev" (did you mean "new"?)',
        ),
    ],
)
def test_what_is_wrong_between_routes_is_told_once_at_its_place(folder, routes, told):
    found, places = problems(folder, routes)
    assert found == [(*places[0], told)]


def test_of_three_routes_the_first_that_nothing_reaches_is_told(folder):
    (folder / "relay.yaml").write_text("")
    text = edited(CONFIG, "  smart:", '  third: {url: "maildir:x"}\n  smart:')
    routes = (
        "[{upstream: smart, policy: plain}, «{upstream: outbound, policy: plain},"
        " {upstream: third, policy: exempt}]"
    )
    (folder / "policies" / "broken.yaml").unlink()
    text, places = unmarked(edited(text, ROUTES, routes))
    [(line, column, told)] = config_problems(folder, text)
    assert (line, column) == places[0]
    assert told.startswith('no mail ever comes to this route: "plain"')


def test_a_broken_policy_is_told_and_not_that_it_does_not_overflow(folder):
    text = edited(
        CONFIG, ROUTES, "[{upstream: smart, policy: broken}, {upstream: outbound, policy: exempt}]"
    )
    path = folder / "relay.yaml"
    path.write_text(text)
    with pytest.raises(Exception, match="cap: 0 is not between") as caught:
        load_config(path, {})
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("written", "sticky"),
    [
        ("sticky: {}", Sticky("x-warmup-campaign", 7 * 86_400)),
        ("sticky: {header: Feedback-ID, keep: 2 days}", Sticky("feedback-id", 2 * 86_400)),
        ("sticky: {keep: 1h}", Sticky("x-warmup-campaign", 3600)),
    ],
)
def test_sticky_arrives(tmp_path, written, sticky):
    path = tmp_path / "new.yaml"
    path.write_text(f"{OVERFLOWS}{written}\n")
    policy, found = read_policy(path)
    assert found == []
    assert policy.sticky == sticky
