"""A model pixel's aspect ratio on the original image."""

import pytest

from steelsight.sheets.images.placement import place
from steelsight.types import InputSpec


@pytest.mark.parametrize(
    ("fit", "aspect"), [("stretch", (128 / 400) / (128 / 64)), ("letterbox", 1.0), ("crop", 1.0)]
)
def test_only_stretching_changes_the_aspect_ratio(fit: str, aspect: float) -> None:
    placement = place((128, 128), InputSpec(64, 400, fit))
    assert placement.pixel_aspect == pytest.approx(aspect)
