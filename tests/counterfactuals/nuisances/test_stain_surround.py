"""The median by running histograms equals SciPy's median filter."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from steelsight.counterfactuals.nuisances.stains import _median_around


@pytest.mark.parametrize(("shape", "size"), [((32, 100), (7, 25)), ((9, 11), (5, 15)), ((2, 40), (3, 5))])
def test_the_median_is_scipys(
    shape: tuple[int, int], size: tuple[int, int], rng: np.random.Generator
) -> None:
    gray = rng.integers(0, 256, shape, dtype=np.uint8)
    expected = ndimage.median_filter(gray, size=size, mode="nearest")
    assert (_median_around(gray, size) == expected).all()
