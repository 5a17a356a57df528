"""Masks of a sheet: read, refused, or found empty."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steelsight.errors import BadAnnotation
from steelsight.sheets.masks import check_masks, mask_fractions, read_mask, read_mask_file
from steelsight.types import InputSpec, MaskSource, SheetItem

Make = Callable[..., Any]


@pytest.fixture
def item(tmp_path: Path, put: Make, texture: Make) -> Callable[..., SheetItem]:
    """A sheet of 8x12 with run lengths by type, or a mask file for one type."""
    path = put(tmp_path / "a.png", texture(8, 12))

    def make(
        runs: dict[int, str] | None = None, mask: np.ndarray | None = None, defect_type: int = 1
    ) -> SheetItem:
        sources = tuple(
            MaskSource(t, runs=text, where=f"train.csv row 2 (a.png, {t})")
            for t, text in (runs or {}).items()
        )
        if mask is not None:
            sources = (MaskSource(defect_type, path=put(tmp_path / "m.png", mask), where="m.png"),)
        types = tuple(source.defect_type for source in sources if source.defect_type)
        return SheetItem("a.png", path, types, "mask", sources)

    return make


def test_masks_by_type(item: Make) -> None:
    masks = read_mask(item({1: "1 8", 3: "9 4"}))
    assert masks[1][:, 0].all()
    assert masks[1].sum() == 8
    assert masks[3].sum() == 4


def test_defect_free_and_class_only_sheets_have_none(item: Make) -> None:
    assert read_mask(item()) == {}
    only_class = SheetItem("x", Path("does-not-exist"), (2,), "class")
    assert read_mask(only_class) == {}
    with pytest.raises(BadAnnotation, match=r"x: only its classes are known, expected masks"):
        mask_fractions(only_class, InputSpec())


def test_fractions_are_of_the_union(item: Make) -> None:
    fractions = mask_fractions(item({1: "1 8", 3: "5 8"}), InputSpec(height=4, width=6))
    assert fractions.sum() * 4 == pytest.approx(12)
    assert mask_fractions(item(), InputSpec(height=4, width=6)).sum() == 0


@pytest.mark.parametrize(
    ("levels", "marked"),
    [
        ([0, 1], [0, 1]),
        ([0, 255], [0, 1]),
        ([100, 200], [0, 1]),
        ([0, 0], [0, 0]),
        ([255, 255], [1, 1]),
        ([3, 127, 128, 255], [0, 0, 1, 1]),
    ],
)
def test_levels_of_mask_files(levels: list[int], marked: list[int], tmp_path: Path, put: Make) -> None:
    path = put(tmp_path / "m.png", np.array([levels], dtype=np.uint8))
    assert read_mask_file(path).astype(int).tolist() == [marked]


def test_a_mask_of_another_size(item: Make) -> None:
    sheet = item(mask=np.full((9, 12), 255, dtype=np.uint8))
    message = r"mask m\.png: 12x9 pixels, its image has 12x8; draw it on the image as it is"
    with pytest.raises(BadAnnotation, match=message):
        check_masks(sheet, (8, 12))
    with pytest.raises(BadAnnotation, match=message):
        read_mask(sheet)


def test_a_run_past_the_end_names_its_row(item: Make) -> None:
    sheet = item({2: "90 10"})
    with pytest.raises(
        BadAnnotation, match=r"train\.csv row 2 \(a\.png, 2\): run 90\+10 ends past 8x12 = 96 pixels"
    ):
        check_masks(sheet, (8, 12))


def test_an_empty_mask_leaves_the_class(item: Make) -> None:
    checked = check_masks(item(mask=np.zeros((8, 12), dtype=np.uint8)), (8, 12))
    assert (checked.types, checked.evidence, checked.masks) == ((1,), "class", ())


def test_a_defect_free_sheet_with_a_marked_defect(item: Make) -> None:
    marked = np.zeros((8, 12), dtype=np.uint8)
    empty = check_masks(item(mask=marked, defect_type=0), (8, 12))
    assert (empty.types, empty.evidence, empty.masks) == ((), "mask", ())
    marked[2:4, 2:5] = 255
    with pytest.raises(BadAnnotation, match=r"m\.png: marks 6 pixels on a sheet of a defect-free folder"):
        check_masks(item(mask=marked, defect_type=0), (8, 12))


def test_a_damaged_mask_file(item: Make, tmp_path: Path) -> None:
    sheet = item(mask=np.zeros((8, 12), dtype=np.uint8))
    (tmp_path / "m.png").write_bytes(b"")
    with pytest.raises(BadAnnotation, match=r"mask m\.png: the file is empty \(0 bytes\)"):
        check_masks(sheet, (8, 12))
