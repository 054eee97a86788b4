"""What docs/overflow.md shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import relay
from relay.core.policy.policy import Excess, Sticky
from relay.settings.load import load_config

PAGE = Path(relay.__file__).resolve().parents[1] / "docs" / "overflow.md"
REST = """\
hostname: relay.example.net
listeners: [{address: "127.0.0.1:2525"}]
"""


@pytest.fixture
def written(tmp_path) -> Path:
    """relay.yaml and its policy as the page has them; `relay.yaml` with what it leaves out."""
    blocks = re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    for name, text in blocks:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    path = tmp_path / "relay.yaml"
    path.write_text(REST + path.read_text())
    return path


def test_the_example_of_the_page_loads_and_overflows(written):
    assert yaml.safe_load(written.read_text())
    domain = load_config(written, {}).directory.domains["news.acme.example"]
    assert [route.name for route in domain.walk] == ["news.acme.example", "news.acme.example@warm"]
    first = domain.routes[0].policy
    assert (first.excess, first.ramp.tiers[0].cap) == (Excess.OVERFLOW, 50)
    assert first.sticky == Sticky("x-listmonk-campaign", 7 * 86_400)
