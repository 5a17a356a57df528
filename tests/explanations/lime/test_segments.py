"""Superpixels: numbering, repeatability, bad input."""

from __future__ import annotations

import numpy as np
import pytest

from steelsight.errors import BadInput
from steelsight.explanations.lime.segments import SEGMENTERS, check_segments, segment_sheet


def stained() -> np.ndarray:
    gray = np.random.default_rng(0).random((64, 160)) * 0.1
    gray[20:44, 60:100] += 0.8
    return gray


@pytest.mark.parametrize("kind", SEGMENTERS)
def test_superpixels_are_numbered_without_gaps(kind: str) -> None:
    gray = np.random.default_rng(0).random((64, 160))
    cut = segment_sheet(gray, kind, cells=20)
    assert cut.shape == gray.shape
    assert np.array_equal(np.unique(cut), np.arange(cut.max() + 1))
    assert 2 <= cut.max() + 1 <= 120
    assert np.array_equal(cut, segment_sheet(gray * 7 + 2, kind, cells=20))  # brightness changes nothing


@pytest.mark.parametrize("kind", ["slic", "quickshift"])
def test_superpixels_follow_a_stain(kind: str) -> None:
    """Nearly every superpixel lies inside the stain or outside it; a grid's do not."""
    inside = np.zeros((64, 160), bool)
    inside[20:44, 60:100] = True

    def mixed(cut: np.ndarray) -> float:
        share = np.bincount(cut.ravel(), inside.ravel()) / np.bincount(cut.ravel())
        return float(np.minimum(share, 1 - share)[cut].mean())

    gray = stained()
    assert mixed(segment_sheet(gray, kind, cells=17)) < 0.3 * mixed(segment_sheet(gray, "grid", cells=17))


def test_strips_are_columns_and_cells_default_to_the_size() -> None:
    strips = segment_sheet(stained(), "strips", cells=8)
    assert (strips == strips[:1]).all()
    assert strips.max() + 1 == 8
    assert (
        segment_sheet(np.random.default_rng(1).random((64, 400)), "strips").max() + 1 == 44
    )  # 24x24 px each
    assert segment_sheet(np.random.default_rng(1).random((16, 20)), "strips").max() + 1 == 8


@pytest.mark.parametrize("kind", SEGMENTERS)
def test_a_sheet_of_one_level_is_cut_or_refused(kind: str) -> None:
    cut = segment_sheet(np.full((32, 64), 0.4), kind)
    assert np.array_equal(np.unique(cut), np.arange(cut.max() + 1))


def test_superpixels_are_renumbered_and_checked() -> None:
    cut = np.array([[7, 7, 2], [7, -1, 2]])
    assert np.array_equal(check_segments(cut, (2, 3)), [[2, 2, 1], [2, 0, 1]])
    with pytest.raises(BadInput, match=r"expected shape \(4, 4\), one number a pixel, got \(2, 3\)"):
        check_segments(cut, (4, 4))
    with pytest.raises(BadInput, match="at least two superpixels, got one"):
        check_segments(np.full((2, 3), 5), (2, 3))
    with pytest.raises(BadInput, match="expected one of slic, quickshift, strips, grid, got 'voronoi'"):
        segment_sheet(stained(), "voronoi")
