"""A large config, and what is read of it."""

import pytest

from relay.settings.large import wholesale
from tests.unit.settings.told import LARGE


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "relay.yaml"
    path.write_text(LARGE)
    (tmp_path / "var").mkdir()
    return path


@pytest.fixture
def reads(monkeypatch):
    """How often a piece was read."""
    read = []
    real = wholesale.frame_of
    monkeypatch.setattr(wholesale, "frame_of", lambda *given: read.append(1) or real(*given))
    return read
