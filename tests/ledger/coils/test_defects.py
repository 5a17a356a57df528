"""One defect across borders of images is one; the order of arrival does not matter."""

from itertools import chain, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from steelsight.errors import BadInput
from steelsight.ledger.coils.calibration import Calibration
from steelsight.ledger.coils.defects import merge_regions
from steelsight.ledger.reading.defects import own_scale, place_regions

SCALE = Calibration(2.0, 3.0)  # mm per pixel along and across
WHOLE = np.ones((3, 3))  # regions are joined by corners too


def frame(mask, left, top, right, bottom, name, **values):
    """The regions of one image that shows a part of a drawn strip, as a verdict holds them."""
    part = mask[top:bottom, left:right]
    labelled, _ = ndimage.label(part, WHOLE)
    regions = [
        {
            "box": [columns.start, rows.start, columns.stop, rows.stop],
            "area_px": int((labelled == number).sum()),
            "score": 0.5,
        }
        for number, (rows, columns) in enumerate(ndimage.find_objects(labelled), 1)
    ]
    sheet = {
        "sheet": name,
        "station": f"camera at {top}",
        "side": "top",
        "width": right - left,
        "height": bottom - top,
        "position_m": left * 2.0 / 1000,
        "length_m": None,
        "across_mm": top * 3.0,
        **values,
    }
    return place_regions(sheet, "scratch", regions, SCALE)


def cut(mask, along, across):
    """The regions of a strip that cameras side by side see in frames."""
    ends, borders = (0, *sorted(along), mask.shape[1]), (0, *sorted(across), mask.shape[0])
    found = []
    for left, right in pairwise(ends):
        for top, bottom in pairwise(borders):
            if left < right and top < bottom:
                found += frame(mask, left, top, right, bottom, f"{top}-{left}")
    return found


@st.composite
def drawn(draw):
    """One connected defect on a strip of 40 x 120 pixels."""
    mask = np.zeros((40, 120), dtype=bool)
    row, column = draw(st.integers(0, 39)), draw(st.integers(0, 119))
    for _ in range(draw(st.integers(1, 8))):
        down, onwards = draw(st.integers(-15, 15)), draw(st.integers(-40, 40))
        other_row, other_column = min(max(row + down, 0), 39), min(max(column + onwards, 0), 119)
        mask[min(row, other_row) : max(row, other_row) + 1, column] = True
        mask[other_row, min(column, other_column) : max(column, other_column) + 1] = True
        row, column = other_row, other_column
    return mask


def extent(mask):
    rows, columns = np.nonzero(mask)
    metres = [columns.min() * 2e-3, (columns.max() + 1) * 2e-3]
    return [*metres, rows.min() * 3.0, (rows.max() + 1) * 3.0]


def found_extent(defect):
    place = defect.place
    return [place.start_m, place.end_m, place.left_mm, place.right_mm]


CUTS = st.sets(st.integers(1, 119), max_size=8)
BORDERS = st.sets(st.integers(1, 39), max_size=2)


@settings(max_examples=200)
@given(drawn(), CUTS, BORDERS, st.randoms(use_true_random=False))
def test_a_defect_that_is_cut_anywhere_is_one_of_the_same_extent(mask, along, across, dice):
    regions = cut(mask, along, across)
    dice.shuffle(regions)
    (defect,) = merge_regions("C1", regions, 0.0)
    assert found_extent(defect) == pytest.approx(extent(mask))
    assert defect.area_mm2 == pytest.approx(mask.sum() * 6.0)
    assert set(defect.members) == {region.key for region in regions}


@settings(max_examples=100)
@given(st.lists(drawn(), min_size=1, max_size=3), CUTS, BORDERS, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(masks, along, across, dice):
    regions = cut(np.logical_or.reduce(masks), along, across)
    expected = merge_regions("C1", regions)
    dice.shuffle(regions)
    assert merge_regions("C1", regions) == expected


@given(st.integers(1, 60), st.integers(0, 4), CUTS, BORDERS)
def test_defects_with_more_than_the_tolerance_between_them_stay_two(gap, more, along, across):
    """Along the strip, with borders of images anywhere."""
    mask = np.zeros((40, 120), dtype=bool)
    mask[5:20, 10:30] = mask[5:20, 30 + gap :][:, :20] = True
    regions = cut(mask, along, across)
    assert len(merge_regions("C1", regions, gap * 2.0 - 0.5)) == 2


def three_frames():
    mask = np.zeros((40, 120), dtype=bool)
    mask[10:20, 10:110] = True
    return [frame(mask, left, 0, left + 40, 40, f"f{left:03}") for left in (0, 40, 80)]


def test_a_defect_over_three_frames_grows_with_them_and_keeps_its_id():
    first, second, third = three_frames()
    grown = [
        merge_regions("C1", list(chain(*parts)))
        for parts in ([first], [first, second], [first, second, third])
    ]
    assert [len(each) for each in grown] == [1, 1, 1]
    assert len({each[0].id for each in grown}) == 1
    assert grown[2][0].as_dict()["length_mm"] == pytest.approx(200.0)
    assert grown[2][0].as_dict()["width_mm"] == pytest.approx(30.0)
    assert [each["sheet"] for each in grown[2][0].as_dict()["members"]] == ["f000", "f040", "f080"]


def test_a_missing_frame_separates_and_its_late_arrival_joins():
    first, second, third = three_frames()
    assert len(merge_regions("C1", first + third)) == 2
    assert merge_regions("C1", first + third + second) == merge_regions("C1", first + second + third)


@pytest.mark.parametrize("change", [{"side": "bottom"}, {"station": "other", "across_mm": None}])
def test_parts_of_other_sides_and_of_cameras_without_a_place_stay_apart(change):
    mask = np.zeros((40, 80), dtype=bool)
    mask[10:20, 10:70] = True
    one = frame(mask, 0, 0, 40, 40, "one")
    (other,) = frame(mask, 40, 0, 80, 40, "other", **change)
    if "station" in change:
        other = type(other)(**{**vars(other), "across_known": False})
    assert len(merge_regions("C1", [*one, other])) == 2


def test_parts_of_other_labels_stay_apart():
    first, second, _ = three_frames()
    other = [type(each)(**{**vars(each), "label": "patch"}) for each in second]
    assert [each.label for each in merge_regions("C1", first + other)] == ["scratch", "patch"]


def test_what_two_cameras_see_of_one_place_is_one():
    """Cameras whose fields overlap by 20 pixels, and a defect inside of the overlap."""
    mask = np.zeros((40, 120), dtype=bool)
    mask[18:22, 50:60] = True
    regions = frame(mask, 0, 0, 120, 30, "left") + frame(mask, 0, 10, 120, 40, "right")
    (defect,) = merge_regions("C1", regions)
    assert found_extent(defect) == pytest.approx(extent(mask))


def test_a_region_away_from_the_border_is_joined_to_nothing():
    mask = np.zeros((40, 120), dtype=bool)
    mask[10:20, 10:36] = mask[10:20, 40:60] = True
    regions = frame(mask, 0, 0, 40, 40, "one") + frame(mask, 40, 0, 120, 40, "other")
    assert len(merge_regions("C1", regions, 5.0)) == 2  # 8 mm before the border
    assert len(merge_regions("C1", regions, 8.0)) == 1


@pytest.mark.parametrize("tolerance", [-1.0, float("nan"), 1e9])
def test_an_impossible_tolerance_is_refused(tolerance):
    with pytest.raises(BadInput, match="tolerance: expected 0 to 1000 mm"):
        merge_regions("C1", [], tolerance)


@pytest.mark.parametrize(("length", "width"), [(None, 100), (0.0, 100), (1.5, None), (1.5, 0), (None, None)])
def test_a_sheet_without_length_or_pixels_has_no_scale(length, width):
    """An image that cannot be read has no width; its sheet may state a length all the same."""
    assert own_scale({"length_m": length, "width": width}) is None
