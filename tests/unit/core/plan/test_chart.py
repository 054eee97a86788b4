"""The picture of a plan is well-formed, says in words what it shows, and is in proportion."""

import re
from dataclasses import replace
from datetime import date
from time import perf_counter
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.plan.chart import chart
from relay.core.plan.chart_style import Theme, parts_of
from relay.core.plan.plan import plan
from relay.core.policy.ramp import Advance, Ramp, Tier
from tests.unit.core.quota.test_reservation import CALENDAR

START = date(2026, 3, 1)
SVG = "{http://www.w3.org/2000/svg}"
BOTTOM, TOP, LEFT, RIGHT = 384, 84, 84, 936


def drawn(policy=CALENDAR, volumes=(3000,), **more):
    made = plan(policy, volumes, START, **more)
    return made, ET.fromstring(chart(made))


def of_class(root, name, tag="*"):
    return [each for each in root.iter(f"{SVG}{tag}") if each.get("class") == name]


def bars(root):
    found = of_class(root, "sent", "rect")
    return found[1:]  # the first is the legend's


def paths(root, name):
    return [each.get("d") for each in of_class(root, name, "path")][name.startswith("cap") :]


def test_it_has_a_title_and_a_description_that_it_is_labelled_by():
    made, root = drawn()
    assert root.get("role") == "img"
    told = {each.get("id"): each.text for each in root if each.get("id")}
    assert set(root.get("aria-labelledby").split()) == set(told)
    assert told["name"] == "Warm-up plan: calendar-14-day"
    assert told["told"].startswith("16 days from 2026-03-01 to 2026-03-16: the daily cap")
    assert "Warmed on 2026-03-15 (day 14)." in told["told"]
    assert f"Warning: {made.expired:,} of" in told["told"]


def test_it_is_readable_in_light_and_dark():
    style = drawn()[1].find(f"{SVG}style").text
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    for name in (".bg", "text", ".sent", ".backlog", ".cap", ".grid"):
        assert f"{name} {{" in light
        assert f"{name} {{" in dark


def test_a_bar_is_as_high_as_what_was_sent():
    made, root = drawn()
    top = 20_000
    assert len(bars(root)) == sum(1 for row in made.days if row.sent)
    for bar, row in zip(bars(root), made.days, strict=True):
        assert float(bar.get("height")) == pytest.approx((BOTTOM - TOP) * row.sent / top, abs=0.02)
        assert float(bar.get("y")) + float(bar.get("height")) == pytest.approx(BOTTOM, abs=0.02)


def test_the_cap_is_a_step_line_and_dashed_where_it_is_unlimited():
    made, root = drawn()
    [line], [dashed] = paths(root, "cap"), paths(root, "cap above")
    assert line.count("H") == 14
    assert line.startswith(f"M{LEFT:.2f} ")
    assert dashed.count("H") == len(made.days) - 14
    assert dashed.endswith(f"V{TOP:.2f}H{RIGHT:.2f}")
    # It begins where the line ends, so that the step between them is drawn.
    end_x = re.findall(r"H([\d.]+)", line)[-1]
    end_y = re.findall(r"V([\d.]+)", line)[-1]
    assert dashed.startswith(f"M{end_x} {end_y}V")


def test_a_cap_far_above_the_mail_does_not_flatten_it():
    _, root = drawn(volumes=[10])
    assert not paths(root, "cap")
    assert min(float(bar.get("y")) for bar in bars(root)) < (BOTTOM + TOP) / 2


def test_the_backlog_is_a_closed_area_and_absent_where_nothing_waits():
    [area] = [d for d in paths(drawn()[1], "backlog") if d]
    assert area.endswith(f"V{BOTTOM}H{LEFT:.2f}Z")
    assert paths(drawn(volumes=[10])[1], "backlog") == []


def test_a_name_with_markup_in_it_is_only_text():
    policy = replace(CALENDAR, name='<script>"&')
    root = drawn(policy)[1]
    assert root.find(f"{SVG}title").text == 'Warm-up plan: <script>"&'
    assert not list(root.iter(f"{SVG}script"))


def test_two_years_are_drawn_at_once_with_few_dates():
    slow = Ramp(Advance.CALENDAR_DAYS, tuple(Tier(day, day + 1) for day in range(1000)))
    made = plan(replace(CALENDAR, ramp=slow), [5000], START)
    began = perf_counter()
    root = ET.fromstring(chart(made))
    assert perf_counter() - began < 2
    assert len(bars(root)) == 730
    assert sum((each.text or "").startswith("day ") for each in root.iter(f"{SVG}text")) <= 8


def test_counts_of_many_millions_are_told_in_millions():
    root = drawn(volumes=[12_000_000], queue_days=0)[1]
    words = [each.text for each in root.iter(f"{SVG}text")]
    assert "2.5 M" in words
    assert "12.5 M" in words


@given(
    st.lists(st.integers(0, 10**12), min_size=1, max_size=6),
    st.booleans(),
    st.integers(0, 9),
)
def test_every_plan_gives_a_picture_within_its_frame(volumes, goes_on, queue_days):
    root = drawn(volumes=volumes, goes_on=goes_on, queue_days=queue_days)[1]
    for bar in bars(root):
        assert TOP - 0.01 <= float(bar.get("y")) <= BOTTOM
        assert LEFT <= float(bar.get("x")) <= RIGHT
    for path in (*paths(root, "cap"), *paths(root, "cap above"), *paths(root, "backlog")):
        assert all(TOP <= float(y) <= BOTTOM for y in re.findall(r"V([\d.]+)", path))
        assert all(LEFT <= float(x) <= RIGHT for x in re.findall(r"H([\d.]+)", path))
    lines = [each for each in root.iter(f"{SVG}line") if each.get("class") == "grid"]
    assert 2 <= len(lines) <= 6


def test_bars_are_in_parts_a_provider_each_and_the_legend_names_them():
    mail = {"google": 300, "other": 100, "yahoo": 200}
    made, root = drawn(volumes=[mail])
    words = [each.text for each in root.iter(f"{SVG}text")]
    assert words.index("google") < words.index("yahoo") < words.index("other")
    top = max(float(word.replace(",", "")) for word in words if word and word[0].isdigit()
              and word.replace(",", "").isdigit())  # fmt: skip
    for style, name in (("p0", "google"), ("p1", "yahoo"), ("p2", "other")):
        _, *parts = of_class(root, style, "rect")  # the first is the legend's
        heights = [float(part.get("height")) for part in parts]
        expected = [(BOTTOM - TOP) * row.sent / top for row in made.of(name) if row.sent]
        assert heights == pytest.approx(expected, abs=0.03)
    assert "sends a day" in words


def test_of_many_providers_the_smaller_ones_share_a_colour():
    mail = {f"p{number}": 10 * number for number in range(1, 10)}
    made, _ = drawn(volumes=[mail])
    names = [part.name for part in parts_of(made)]
    assert names == ["p9", "p8", "p7", "p6", "p5", "all others"]


def test_one_scheme_for_good_is_in_the_picture_alone():
    made = plan(CALENDAR, [100], START)
    assert "@media" in chart(made)
    assert "@media" not in chart(made, Theme.DARK)
    assert "#0d1117" in chart(made, Theme.DARK)
    assert "#0d1117" not in chart(made, Theme.LIGHT)
