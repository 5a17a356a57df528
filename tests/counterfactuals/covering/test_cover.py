"""Covering places: only they change, whatever lies outside, and the control touches none of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.counterfactuals.proof_cases import steel

from steelsight.counterfactuals.covering.cover import MOST_COVERED, sheet_places

WHOLE = (0, 0, 160, 64)
BOXES = [(20.4, 10.0, 40.0, 30.6), (60.0, 20.0, 80.0, 50.0), (70.0, 40.0, 100.0, 60.0)]


def marked(rng: np.random.Generator) -> np.ndarray:
    """A sheet with a bright square within each box."""
    gray = steel(rng)
    for left, top, right, bottom in BOXES:
        gray[int(top) + 1 : int(bottom), int(left) + 1 : int(right)] = 250
    return gray


def test_a_place_is_covered_with_steel_and_the_others_stay(rng: np.random.Generator) -> None:
    gray = marked(rng)
    places = sheet_places(gray, WHOLE, BOXES)
    covered = places.cover((0,))
    hole = places.hole((0,))
    assert np.argwhere(hole).min(0).tolist() == [9, 19]  # the box, and a seam of a pixel
    assert np.argwhere(hole).max(0).tolist() == [31, 40]
    assert (covered[~hole] == gray[~hole]).all()
    assert covered[hole].max() < 200
    assert (places.cover((0,)) == covered).all()  # the same fill each time
    assert (places.cover((0,), fill=1) != covered).any()
    both = places.cover((0, 1))
    assert (both[hole] == covered[hole]).all()  # a place is filled alike in every set
    assert (places.hole((0, 1, 2)) == places.hole((0,)) | places.hole((1,)) | places.hole((2,))).all()


@given(
    st.tuples(*[st.floats(-500, 700, allow_nan=False)] * 4),
    st.sampled_from([WHOLE, (0, 20, 160, 44), (30, 0, 90, 64)]),
)
def test_nothing_outside_of_the_sheet_is_covered(
    box: tuple[float, float, float, float], seen: tuple[int, int, int, int]
) -> None:
    gray = np.full((64, 160), 100, dtype=np.uint8)
    places = sheet_places(gray, seen, [box])
    left, top, right, bottom = seen
    assert places.hole((0,)).shape == (bottom - top, right - left)
    if box[0] >= box[2] or box[1] >= box[3] or box[2] < left - 1 or box[0] > right + 1:
        assert not places.can_cover((0,))
    if places.can_cover((0,)):
        outside = np.ones(gray.shape, dtype=bool)
        outside[top:bottom, left:right] = False
        assert (places.cover((0,))[outside] == gray[outside]).all()


def test_the_border_of_a_letterbox_does_not_darken_the_fill(rng: np.random.Generator) -> None:
    gray = np.zeros((64, 160), dtype=np.uint8)
    gray[20:44] = steel(rng)[20:44]
    places = sheet_places(gray, (0, 20, 160, 44), [(50.0, 20.0, 70.0, 44.0)])
    covered = places.cover((0,))
    assert (covered[:20] == 0).all()
    assert (covered[44:] == 0).all()
    assert abs(covered[20:44, 50:70].mean() - gray[20:44].mean()) < 6


@pytest.mark.parametrize(
    ("boxes", "places", "can"),
    [
        (BOXES, (), False),
        ([(0.0, 0.0, 70.0, 64.0)], (0,), True),
        ([(0.0, 0.0, 81.0, 64.0)], (0,), False),
        ([(0.0, 0.0, 50.0, 64.0), (60.0, 0.0, 100.0, 64.0)], (0, 1), False),
        ([(0.0, 0.0, 50.0, 64.0), (60.0, 0.0, 60.0, 64.0)], (0, 1), False),  # the second has no area
    ],
    ids=["no place", "less than half", "more than half", "together", "one that is not seen"],
)
def test_what_leaves_too_little_steel_is_not_covered(
    boxes: list[tuple[float, float, float, float]], places: tuple[int, ...], can: bool
) -> None:
    assert MOST_COVERED == 0.5
    found = sheet_places(np.full((64, 160), 100, dtype=np.uint8), WHOLE, boxes)
    assert found.can_cover(places) is can


def test_the_control_covers_as_much_and_no_place(rng: np.random.Generator) -> None:
    gray = marked(rng)
    places = sheet_places(gray, WHOLE, BOXES)
    control = places.cover_elsewhere((0,))
    assert control is not None
    changed = control != gray
    assert not changed[places.hole((0, 1, 2))].any()
    size = int(places.hole((0,)).sum())
    assert 0.7 * size < changed.sum() <= size  # by chance some pixels are filled with their own level


def test_the_sheets_end_in_a_place_stays(rng: np.random.Generator) -> None:
    gray = steel(rng)
    gray[:, 120:] = 3
    places = sheet_places(gray, WHOLE, [(100.0, 10.0, 140.0, 50.0), (125.0, 0.0, 150.0, 64.0)])
    covered = places.cover((0,))
    assert (covered[:, 120:] == gray[:, 120:]).all()
    assert (covered[10:50, 100:120] != gray[10:50, 100:120]).any()
    assert not places.can_cover((1,))


def test_no_control_where_there_is_no_room(rng: np.random.Generator) -> None:
    gray = steel(rng)
    gray[:, 70:] = 0  # the sheet's end
    places = sheet_places(gray, WHOLE, [(10.0, 0.0, 60.0, 64.0)])
    assert places.cover_elsewhere((0,)) is None
