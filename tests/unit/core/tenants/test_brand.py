"""A tenant's colour is bent until it can be read, and no further."""

from __future__ import annotations

import pytest

from relay.core.tenants.brand import DARK_SURFACE, LEAST_CONTRAST, LIGHT_SURFACE, contrast, legible


def test_contrast_is_that_of_the_guidelines():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize(
    "colour", ["#ffd400", "#0b5fcb", "#000000", "#ffffff", "#ff0000", "#808080"]
)
@pytest.mark.parametrize("surface", [LIGHT_SURFACE, DARK_SURFACE])
def test_every_colour_can_be_read_on_either_surface(colour, surface):
    assert contrast(legible(colour, surface), surface) >= LEAST_CONTRAST


def test_a_colour_that_can_be_read_stays_as_it_is():
    assert legible("#0b5fcb", LIGHT_SURFACE) == "#0b5fcb"
    assert legible("#FFD400", DARK_SURFACE) == "#ffd400"
