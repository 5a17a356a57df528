"""Outlier sheets: drawn from the generator alone, of the requested size, all different."""

import numpy as np
import pytest

from steelsight.errors import BadInput
from steelsight.sheets.outlier_sheets import OUTLIER_SHEETS, draw_outlier_sheets


@pytest.mark.parametrize("kind", OUTLIER_SHEETS)
def test_same_generator_same_pictures(kind):
    one, other = (draw_outlier_sheets(kind, 3, 40, 90, np.random.default_rng(5)) for _ in range(2))
    assert one.shape == (3, 40, 90)
    assert one.dtype == np.uint8
    assert (one == other).all()
    assert len({picture.tobytes() for picture in one}) == 3
    assert draw_outlier_sheets(kind, 0, 4, 5, np.random.default_rng(0)).shape == (0, 4, 5)


def test_what_they_are(rng):
    black = draw_outlier_sheets("black frame", 5, 40, 90, rng)
    assert black.mean() < 15
    assert draw_outlier_sheets("overexposed frame", 5, 40, 90, rng).mean() > 240
    assert draw_outlier_sheets("static", 1, 40, 90, rng).std() > 60


def test_another_kind(rng):
    with pytest.raises(BadInput, match=r"outlier sheet: expected one of black frame, .*, got 'cat'"):
        draw_outlier_sheets("cat", 1, 4, 4, rng)
