"""Components of a map, numbered as by SciPy."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from steelsight.runtime.engine.regions import label_components


@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=14), elements=st.booleans()))
def test_components_are_numbered_as_by_scipy(inside):
    assert (label_components(inside) == ndimage.label(inside)[0]).all()


def test_a_ring_a_spiral_and_touching_corners():
    spiral = np.array([list(row) for row in ("11111", "00001", "11101", "10001", "11111")]) == "1"
    assert label_components(spiral).max() == 1
    assert label_components(np.eye(4, dtype=bool)).max() == 4
    assert label_components(np.zeros((3, 3), dtype=bool)).max() == 0
