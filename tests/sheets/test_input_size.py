"""A proposed input keeps the shape of the sheets, and is proposed only where the usual one does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelsight.sheets.defect_sizes import DefectSizes
from steelsight.sheets.input_size import LEAST_DEFECT, MOST_STRETCH, input_words, propose_input, stretch_of
from steelsight.types import InputSpec

USUAL = InputSpec(64, 400)


@pytest.mark.parametrize(
    ("size", "proposal"),
    [
        ((256, 1600), None),  # the study's sheets
        ((200, 900), None),  # 1.4-fold
        ((128, 128), (128, 128)),  # not enlarged
        ((1000, 1000), (160, 160)),
        ((1600, 256), (400, 64)),  # upright strips
        ((20, 20), (48, 48)),  # the least
    ],
)
def test_known_shapes(size: tuple[int, int], proposal: tuple[int, int] | None) -> None:
    assert propose_input([size] * 3, USUAL) == proposal


def test_the_median_sheet_decides_and_other_fits_distort_nothing() -> None:
    assert propose_input([(256, 1600)] * 3 + [(128, 128)] * 2, USUAL) is None
    assert propose_input([(128, 128)] * 3, InputSpec(64, 400, "letterbox")) is None
    assert propose_input([], USUAL) is None


@given(st.integers(48, 4000), st.integers(48, 4000))
def test_a_proposal_keeps_shape_and_amount(height: int, width: int) -> None:
    proposal = propose_input([(height, width)], USUAL)
    if proposal is None:
        assert stretch_of([(height, width)], USUAL) <= MOST_STRETCH
        return
    assert all(side % 16 == 0 and side >= 48 for side in proposal)
    if min(proposal) > 48:  # else the least side decides
        assert stretch_of([(height, width)], InputSpec(*proposal)) < 1.3  # rounding to 16 px
        assert proposal[0] * proposal[1] <= 1.3 * USUAL.height * USUAL.width
        assert proposal[0] <= height + 8
        assert proposal[1] <= width + 8


STRIP, SQUARE = (256, 1600), (400, 400)


def words_of(size: tuple[int, int], smallest_px: float | None) -> list[str]:
    defects = None if smallest_px is None else DefectSizes(30, 64, 400, smallest_px, 40.0)
    return input_words([size] * 3, propose_input([size] * 3, USUAL), defects)


def test_large_defects_ask_for_no_other_input() -> None:
    assert words_of(STRIP, None) == []
    (line,) = words_of(STRIP, LEAST_DEFECT + 4.0)
    assert (
        "at 64x400 (fit stretch) a tenth of the 30 sheets with masks have defects of less than 20 px" in line
    )
    assert "accurate" not in line


def test_small_defects_ask_for_the_accurate_recipe_with_their_size_there() -> None:
    (line,) = words_of(STRIP, 9.0)
    assert "less than 9 px" in line
    assert "`steelsight train --recipe accurate` shows them at 18 px" in line
    shape, line = words_of(SQUARE, 9.0)
    assert "--set height=160 --set width=160" in shape
    assert "`steelsight train --recipe accurate --set height=320 --set width=320` shows them at 18 px" in line
