"""The libraries of the pages are those of npm, letter by letter."""

from __future__ import annotations

from hashlib import sha256

import pytest

from tests.architecture.source import PACKAGE

VENDOR = PACKAGE / "web" / "static" / "vendor"
DIGESTS = {
    "htmx.min.js": "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717",
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}


@pytest.mark.parametrize("name", DIGESTS)
def test_a_library_is_as_it_was_published(name):
    assert sha256((VENDOR / name).read_bytes()).hexdigest() == DIGESTS[name]


def test_every_library_has_its_licence_and_stands_in_the_table():
    table = (VENDOR / "README.md").read_text()
    libraries = {path.name for path in VENDOR.iterdir() if path.suffix in {".js", ".css"}}
    assert libraries == set(DIGESTS)
    assert all(f"`{name}`" in table for name in libraries)
    assert {path.name for path in VENDOR.glob("*.LICENSE")} == {"htmx.LICENSE", "uPlot.LICENSE"}


def test_no_template_has_a_script_or_a_style_of_its_own():
    folder = PACKAGE / "web" / "dashboard" / "templates"
    for path in folder.rglob("*.html"):
        text = path.read_text()
        assert "style=" not in text, path
        assert "<style" not in text, path
        assert " onclick" not in text, path
        assert text.count("<script") == text.count("<script src="), path
        assert "//cdn" not in text, path
