"""Every shipped policy has a page that says what the policy says, and a way to it."""

import re
from pathlib import Path

import pytest

import relay
from relay.settings.manual.__main__ import generated, main
from relay.settings.policies import read_policies

ROOT = Path(relay.__file__).resolve().parents[1]
POLICIES = read_policies([]).policies


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_a_policy_has_a_page_that_is_linked_from_both_indexes(name):
    assert (ROOT / "docs" / "policies" / f"{name}.md").is_file()
    for index in ("README.md", "policies.md"):
        text = (ROOT / "docs" / index).read_text(encoding="utf-8")
        assert f"[{name}](policies/{name}.md)" in text, index


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_a_page_holds_the_whole_ramp_with_its_description_and_source(name):
    policy = POLICIES[name]
    page = generated()[f"docs/policies/{name}.md"]
    rows = re.findall(
        r"^\| ([\d,]+)(?: to [\d,]+| and on)? \| ([\d,]+|unlimited) \|$", page, re.MULTILINE
    )
    plain = [(int(at.replace(",", "")), cap.replace(",", "")) for at, cap in rows]

    assert plain == [
        (tier.start, "unlimited" if tier.cap is None else str(tier.cap))
        for tier in policy.ramp.tiers
    ]
    assert policy.description in page
    assert policy.source in page
    assert "┤" in page
    assert "░" in page or policy.ramp.warmed_at() is None


def test_the_index_compares_the_policies_day_by_day():
    index = generated()["docs/policies.md"]

    assert (
        "| [omailer-14](policies/omailer-14.md) | 50 | 1,500 | unlimited | unlimited | "
        "unlimited from day 14 |\n"
    ) in index
    assert (
        "| [e2a-linear](policies/e2a-linear.md) | 50 | 520 | 991 | 1,932 | "
        "2,000 for ever, from day 29 |\n"
    ) in index
    assert "| unlimited from 15,000 lifetime sends |" in index


def test_a_page_without_a_policy_is_out_of_date_and_goes_away(tmp_path, capsys):
    assert main([], tmp_path) == 0
    stray = tmp_path / "docs" / "policies" / "gone.md"
    stray.write_text("# gone")

    assert main(["--check"], tmp_path) == 1
    assert "docs/policies/gone.md has no policy any more" in capsys.readouterr().out
    assert stray.exists()
    assert main([], tmp_path) == 0
    assert not stray.exists()
    assert main(["--check"], tmp_path) == 0
