"""Annotations: around the defect, coarse, and coarser when asked."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from steelsight.sheets.synthetic.drawing.layout import Box
from steelsight.sheets.synthetic.drawing.outline import outline_defect

SIZE = (256, 600)


def stroke() -> tuple[np.ndarray, Box]:
    box = Box(40, 200, 200, 230)
    extent = np.zeros((160, 30), bool)
    for row in range(160):
        extent[row, 5 + row // 12 : 11 + row // 12] = True
    return extent, box


@pytest.mark.parametrize("transposed", [False, True])
def test_covers_a_leaning_stroke(transposed: bool, rng: np.random.Generator) -> None:
    extent, box = stroke()
    if transposed:
        extent, box = extent.T, Box(100, 60, 130, 220)
    mask = outline_defect(extent, box, SIZE, rng, sloppiness=0.5, bands_px=40)
    whole = np.zeros(SIZE, bool)
    whole[box.window] = extent
    assert mask[whole].mean() > 0.95
    assert not mask[~binary_dilation(whole, iterations=24)].any()


def test_follows_closely_when_not_sloppy(rng: np.random.Generator) -> None:
    extent, box = stroke()
    tight = outline_defect(extent, box, SIZE, rng, sloppiness=0.0, bands_px=40)
    assert extent.sum() * 0.8 < tight.sum() < extent.sum() * 1.4


def test_nothing_seen_nothing_outlined(rng: np.random.Generator) -> None:
    box = Box(0, 0, 20, 20)
    assert not outline_defect(np.zeros((20, 20), bool), box, SIZE, rng, sloppiness=0.5, bands_px=40).any()
