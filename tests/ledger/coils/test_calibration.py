"""Pixels to places on the strip by arithmetic, and back."""

from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelsight.errors import BadInput
from steelsight.ledger.coils.calibration import Calibration, StripBox

SIZE = (256, 1600)  # height, width


def test_a_box_by_hand():
    """1600 px at 0.25 mm are 0.4 m; 256 px at 0.5 mm are 128 mm, which begin 10 mm before the edge."""
    calibration = Calibration(0.25, 0.5, -10.0)
    assert calibration.to_strip((0, 0, 1600, 256), SIZE, 12.0) == StripBox(12.0, 12.4, -10.0, 118.0)
    place = calibration.to_strip((400, 20, 800, 60), SIZE, 12.0)
    assert astuple(place) == pytest.approx((12.1, 12.2, 0.0, 20.0))


def test_the_direction_of_travel_turns_the_image_round():
    """Backward: the last column is the leading edge."""
    backward = Calibration(0.25, 0.5, direction="backward")
    place = backward.to_strip((0, 0, 400, 256), SIZE, 12.0)
    assert (place.start_m, place.end_m) == (pytest.approx(12.3), pytest.approx(12.4))


def test_metres_that_fall_lie_before_the_leading_edge():
    falling = Calibration(0.25, 0.5, metres="falling")
    place = falling.to_strip((0, 0, 400, 256), SIZE, 12.0)
    assert (place.start_m, place.end_m) == (pytest.approx(11.9), pytest.approx(12.0))


def test_the_strip_may_run_along_the_images_height():
    upright = Calibration(0.25, 0.5, 3.0, along="y")
    place = upright.to_strip((100, 0, 200, 256), SIZE, 1.0)
    assert astuple(place) == pytest.approx((1.0, 1.064, 53.0, 103.0))


def test_a_sheet_that_states_its_place_across_has_that():
    assert Calibration(1.0, 1.0, 77.0).to_strip((0, 0, 1, 1), SIZE, 0.0, 5.0).left_mm == 5.0


CALIBRATIONS = st.builds(
    Calibration,
    st.floats(1e-4, 1e3),
    st.floats(1e-4, 1e3),
    st.floats(-1e5, 1e5),
    st.sampled_from(["x", "y"]),
    st.sampled_from(["forward", "backward"]),
    st.sampled_from(["growing", "falling"]),
)


@given(CALIBRATIONS, st.data(), st.floats(-1e4, 1e4), st.none() | st.floats(-1e4, 1e4))
def test_pixels_come_back(calibration, data, position, across):
    height, width = data.draw(st.tuples(st.integers(1, 5000), st.integers(1, 5000)))
    left, right = sorted(data.draw(st.tuples(st.integers(0, width), st.integers(0, width))))
    top, bottom = sorted(data.draw(st.tuples(st.integers(0, height), st.integers(0, height))))
    box, where = (left, top, right, bottom), ((height, width), position, across)
    place = calibration.to_strip(box, *where)
    assert place.start_m <= place.end_m
    # A metre is held to about 1e-12 m, a millimetre across to 1e-11 mm; divided by the scale of a pixel.
    most = max(1e-9 / calibration.mm_per_px_along, 1e-10 / calibration.mm_per_px_across)
    assert calibration.to_pixels(place, *where) == pytest.approx(box, abs=100 * most)


@given(CALIBRATIONS)
def test_a_calibration_comes_back_from_its_event(calibration):
    assert Calibration.from_dict(calibration.as_dict()) == calibration


def test_equal_values_have_one_hash():
    assert (
        Calibration.from_dict({"version": 1, "mm_per_px_along": 1, "mm_per_px_across": 2}).as_dict()["sha256"]
        == Calibration(1.0, 2.0).as_dict()["sha256"]
    )
    assert Calibration(1.0, 2.0).as_dict()["sha256"] != Calibration(2.0, 1.0).as_dict()["sha256"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mm_per_px_along": 0}, r"mm_per_px_along: expected a number from 0\.0001 to 1000, got 0"),
        ({"mm_per_px_across": -1.0}, "mm_per_px_across: expected a number"),
        ({"mm_per_px_along": float("nan")}, "mm_per_px_along: expected a number"),
        ({"mm_per_px_along": "1"}, "mm_per_px_along: expected a number"),
        ({"mm_per_px_along": True}, "mm_per_px_along: expected a number"),
        ({"offset_across_mm": 1e6}, "offset_across_mm: expected a number from -100000"),
        ({"along": "z"}, "along: expected x or y, got 'z'"),
        ({"direction": "left"}, "direction: expected forward or backward"),
        ({"metres": None}, "metres: expected growing or falling, got None"),
        ({"version": 2}, "version: expected 1, got 2"),
        ({"mm_per_px_along": ...}, "mm_per_px_along: expected a number of millimetres per pixel, got none"),
    ],
)
def test_an_impossible_calibration_is_refused(values, message):
    whole = {"version": 1, "mm_per_px_along": 1.0, "mm_per_px_across": 1.0, **values}
    whole = {name: value for name, value in whole.items() if value is not ...}
    with pytest.raises(BadInput, match=message):
        Calibration.from_dict(whole)
