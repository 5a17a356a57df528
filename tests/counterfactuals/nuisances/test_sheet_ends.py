"""Black columns at a sheet's edges."""

from __future__ import annotations

import numpy as np
import pytest
from tests.counterfactuals.proof_cases import steel

from steelsight.counterfactuals.nuisances.sheet_ends import end_widths, find_end


@pytest.mark.parametrize(("left", "right"), [(0, 0), (20, 0), (0, 33), (8, 12)])
def test_columns_are_counted_on_both_sides(left: int, right: int, rng: np.random.Generator) -> None:
    gray = steel(rng)
    gray[:, :left] = 4
    gray[:, 160 - right :] = 4
    end = find_end(gray)
    assert (end.left_px, end.right_px, end.steel) == (left, right, (left, 160 - right))
    assert end.present == (left + right > 0)
    assert (end.mask(64) == (gray == 4)).all()


def test_black_all_over_vignetting_and_a_dark_sheet(rng: np.random.Generator) -> None:
    assert find_end(np.zeros((64, 160), np.uint8)).left_px == 160
    narrow = steel(rng)
    narrow[:, 0] = 0  # under one in a hundred of the width
    assert not find_end(narrow).present
    assert not find_end(steel(rng, level=35)).present
    dark_inside = steel(rng)
    dark_inside[:, 70:90] = 3  # black, but not at an edge
    ended = steel(rng)
    ended[:, :25] = 3
    assert end_widths(np.stack([narrow, dark_inside, ended])).tolist() == [0, 0, 25]
