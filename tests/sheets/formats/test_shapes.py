"""Shapes: polygons equal pycocotools', run lengths go back and forth, and what is no shape is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.path import Path as Outline
from pycocotools import mask as coco_tools

from steelsight.errors import BadAnnotation
from steelsight.sheets.formats.annotations.brush import decode_brush
from steelsight.sheets.formats.shapes import (
    decode_coco_text,
    fill_box,
    fill_ellipse,
    fill_polygon,
    fill_runs,
)

# pycocotools returns arrays that warn of NumPy 2 when they are read.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SIDES = st.integers(1, 40)
NUMBERS = st.floats(-30, 70, width=32) | st.integers(-10, 50).map(float)


@settings(deadline=None, max_examples=300)
@given(SIDES, SIDES, st.lists(st.tuples(NUMBERS, NUMBERS), min_size=3, max_size=9))
def test_a_polygon_equals_pycocotools(height: int, width: int, corners: list[tuple[float, float]]) -> None:
    flat = [value for corner in corners for value in corner]
    expected = coco_tools.decode(coco_tools.frPyObjects([flat], height, width))[..., 0].astype(bool)
    assert np.array_equal(fill_polygon(flat, (height, width)), expected)


@settings(deadline=None)
@given(st.integers(0, 2**31))
def test_a_polygon_covers_the_pixels_whose_centres_it_covers(seed: int) -> None:
    """But for those within a fifth of a pixel of its outline, the grid on which outlines are drawn."""
    corners = np.random.default_rng(seed).uniform(2, 28, (3, 2))
    centres = np.stack(np.meshgrid(np.arange(30) + 0.5, np.arange(30) + 0.5), axis=-1).reshape(-1, 2)
    outline = Outline(corners)
    inside = outline.contains_points(centres)
    start, end = corners, np.roll(corners, -1, axis=0)
    along = end - start
    share = ((centres[:, None] - start) * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-9)
    nearest = start + np.clip(share, 0, 1)[..., None] * along
    distance = np.linalg.norm(centres[:, None] - nearest, axis=-1).min(axis=1)
    far = distance > 0.3
    assert np.array_equal(fill_polygon(corners.ravel(), (30, 30)).ravel()[far], inside[far])


@given(arrays(bool, st.tuples(SIDES, SIDES)))
@settings(deadline=None)
def test_run_lengths_of_pycocotools_are_read(mask: np.ndarray) -> None:
    text = coco_tools.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    shape = (mask.shape[0], mask.shape[1])
    assert np.array_equal(fill_runs(decode_coco_text(text), shape), mask)


def test_whole_boxes_cover_whole_pixels() -> None:
    mask = fill_box(2.0, 1.0, 3.0, 4.0, (8, 9))
    expected = np.zeros((8, 9), dtype=bool)
    expected[1:5, 2:5] = True
    assert np.array_equal(mask, expected)
    assert np.array_equal(fill_box(-5.0, -5.0, 100.0, 100.0, (8, 9)), np.ones((8, 9), dtype=bool))


def test_an_ellipse_turned_by_a_quarter_has_its_radii_swapped() -> None:
    one, other = (
        fill_ellipse((15.0, 12.0), radii, turn, (24, 30))
        for radii, turn in (((9.0, 4.0), 90.0), ((4.0, 9.0), 0.0))
    )
    assert np.array_equal(one, other)


@pytest.mark.parametrize(
    ("corners", "words"),
    [
        ([1.0, 2.0, 3.0, 4.0], "three corners or more, found 4 numbers"),
        ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], "found 7 numbers"),
        ([0.0, 0.0, float("nan"), 5.0, 5.0, 5.0], "expected numbers as corners, found nan"),
        ([0.0, 0.0, 1e8, 5.0, 5.0, 5.0], "a corner at 100000000 lies far outside the image of 9x8 pixels"),
    ],
)
def test_polygons_that_are_none(corners: list[float], words: str) -> None:
    with pytest.raises(BadAnnotation, match=f"a.json: .*{words}"):
        fill_polygon(corners, (8, 9), where="a.json")


def test_run_lengths_that_do_not_fit() -> None:
    with pytest.raises(
        BadAnnotation, match=r"run lengths cover 5 pixels, the image has 2x3 = 6; check the size"
    ):
        fill_runs([2, 3], (2, 3), where="a")
    with pytest.raises(BadAnnotation, match="expected run lengths as whole numbers from 0 on"):
        fill_runs([7, -1], (2, 3))
    with pytest.raises(BadAnnotation, match="expected compressed run lengths, found 'é'"):
        decode_coco_text("é")
    with pytest.raises(BadAnnotation, match="end within a number; the text was cut off"):
        decode_coco_text("o")
    with pytest.raises(BadAnnotation, match=r"expected a box with a width and a height, found 0\.0 x 3\.0"):
        fill_box(1.0, 1.0, 0.0, 3.0, (8, 9))
    with pytest.raises(BadAnnotation, match="expected an ellipse with radii above 0"):
        fill_ellipse((4.0, 4.0), (0.0, 2.0), 0.0, (8, 9))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\0\0\0\x08", "a brush mask of 8 bytes, expected 216"),
        (b"\0\0\0\xd8\x39", "was cut off"),
        (b"\0\0\0\xd8\xf9\x1b\xfe\x2b\xff\xff", "32 bits a value, expected at most 8"),
    ],
)
def test_brush_masks_that_are_none(content: bytes, words: str) -> None:
    with pytest.raises(BadAnnotation, match=words):
        decode_brush(content, 216)
