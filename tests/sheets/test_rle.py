"""Run lengths: a slow twin, the round trip, every refusal, and a thousand real masks."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from steelsight.errors import BadAnnotation
from steelsight.sheets.rle import check_runs, decode_runs, encode_mask
from steelsight.types import Mask

MASKS = arrays.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def slow_decode(text: str, shape: tuple[int, int]) -> Mask:
    """Pixel by pixel, from the competition's description."""
    mask = np.zeros(shape, dtype=bool)
    numbers = [int(token) for token in text.split()]
    for start, length in zip(numbers[0::2], numbers[1::2], strict=True):
        for pixel in range(start - 1, start - 1 + length):
            column, row = divmod(pixel, shape[0])
            mask[row, column] = True
    return mask


@given(MASKS)
def test_a_mask_survives_the_round_trip(mask: Mask) -> None:
    np.testing.assert_array_equal(decode_runs(encode_mask(mask), mask.shape), mask)


@given(MASKS)
def test_decoding_agrees_with_the_slow_twin(mask: Mask) -> None:
    text = encode_mask(mask)
    np.testing.assert_array_equal(decode_runs(text, mask.shape), slow_decode(text, mask.shape))
    assert check_runs(text, mask.shape) == mask.sum()


def test_runs_go_down_the_columns_and_count_from_one() -> None:
    mask = decode_runs("1 2 6 1", (4, 3))
    expected = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 0, 0]], dtype=bool)
    np.testing.assert_array_equal(mask, expected)


def test_a_run_may_reach_the_last_pixel() -> None:
    assert decode_runs("12 1", (4, 3))[3, 2]
    assert encode_mask(np.ones((4, 3), dtype=bool)) == "1 12"


def test_empty_text_is_an_empty_mask() -> None:
    assert not decode_runs("", (4, 3)).any()
    assert not decode_runs(" \n", (4, 3)).any()
    assert encode_mask(np.zeros((4, 3), dtype=bool)) == ""


def test_order_and_touching_do_not_matter() -> None:
    assert encode_mask(decode_runs("6 1 1 2 3 1", (4, 3))) == "1 3 6 1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 3", r"found 3 numbers, an odd count"),
        ("0 2", r"run 0\+2 starts below 1"),
        ("-4 2", r"run -4\+2 starts below 1"),
        ("3 0", r"run 3\+0 has no pixels"),
        ("3 -1", r"run 3\+-1 has no pixels"),
        ("1 4 3 2", r"run 3\+2 overlaps the run before it"),
        ("3 2 1 4", r"run 3\+2 overlaps the run before it"),
        ("1 1 1 1", r"run 1\+1 overlaps the run before it"),
        ("10 4", r"run 10\+4 ends past 4x3 = 12 pixels"),
        ("13 1", r"run 13\+1 ends past"),
        ("999999999999999999 999999999999999999", r"ends past"),
        ("1 two", r"expected whole numbers, found 'two'"),
        ("1 2.5", r"found '2.5'"),
        ("1 1_0", r"found '1_0'"),
        ("1 ٣", r"found '٣'"),
        ("1 2\u00a03 1", r"expected whole numbers"),
        ("1 " + "9" * 5000, r"expected whole numbers"),
    ],
)
def test_anything_else_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(BadAnnotation, match=message) as caught:
        decode_runs(text, (4, 3), where="train.csv row 812 (000a4bcdd.jpg)")
    with pytest.raises(BadAnnotation, match=message):
        check_runs(text, (4, 3))
    assert str(caught.value).startswith("train.csv row 812 (000a4bcdd.jpg): ")
    assert str(caught.value).endswith("; check EncodedPixels")


@pytest.mark.realdata
def test_real_masks_reencode_to_the_identical_text(data_root: Path) -> None:
    with (data_root / "severstal" / "masks_1000.csv").open(newline="") as table:
        texts = [row["EncodedPixels"] for row in csv.DictReader(table)]
    assert len(texts) == 1414
    assert [encode_mask(decode_runs(text, (256, 1600))) for text in texts] == texts
