"""Properties of files: quality from quantisation tables, folders, numbers and dates in names."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steelsight.counterfactuals.nuisances.file_properties import jpeg_quality, measure_files
from steelsight.types import SheetItem


def _write(root: Path, name: str, *, quality: int | None = None, width: int = 40) -> SheetItem:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    gray = Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, width), dtype=np.uint8))
    gray.save(path, **({} if quality is None else {"quality": quality}))
    return SheetItem(name, path, (), "mask")


@pytest.mark.parametrize("quality", [10, 35, 50, 75, 86, 90, 95, 100])
def test_the_quality_of_a_saved_file_is_recovered(tmp_path: Path, quality: int) -> None:
    item = _write(tmp_path, "a.jpg", quality=quality)
    with Image.open(item.path) as image:
        assert jpeg_quality(image.quantization[0]) == quality


def test_facts_that_differ_become_properties(tmp_path: Path) -> None:
    items = [
        _write(tmp_path, "morning/line_20240301_0815_7.jpg", quality=90),
        _write(tmp_path, "morning/line_20240302_0815_9.jpg", quality=80),
        _write(tmp_path, "evening/line_20240302_2015_11.jpg", quality=80),
    ]
    found = {each.key: each for each in measure_files(items)}
    assert found["jpeg_quality"].values.tolist() == [90, 80, 80]
    assert found["name_number"].values.tolist() == [7, 9, 11]
    assert np.diff(found["name_time"].values).tolist() == [86400, 43200]
    assert found["folder:morning"].values.tolist() == [1, 1, 0]
    assert "image_width" not in found  # all alike


def test_facts_unknown_for_some_files_are_left_out(tmp_path: Path) -> None:
    names: list[tuple[str, int]] = [("a1.jpg", 40), ("b.png", 40), ("c3.jpg", 48)]
    items = [_write(tmp_path, name, width=width) for name, width in names]
    found = {each.key for each in measure_files(items)}
    assert "jpeg_quality" not in found
    assert "name_number" not in found
    assert {"file_size", "image_width"} <= found
    assert measure_files([]) == []


def test_a_missing_file_leaves_only_properties_of_names(tmp_path: Path) -> None:
    items = [_write(tmp_path, f"a{number}.jpg", quality=80, width=40 + number) for number in range(3)]
    items[1].path.unlink()
    assert [each.key for each in measure_files(items)] == ["name_number"]


def test_the_modification_time_is_named_as_that_of_the_copy(tmp_path: Path) -> None:
    items = [_write(tmp_path, name) for name in ("a.png", "b.png")]
    for position, item in enumerate(items):
        os.utime(item.path, (1_000_000 + position, 1_000_000 + position))
    (found,) = (each for each in measure_files(items) if each.key == "changed")
    assert np.diff(found.values).tolist() == [1]
    assert found.title.startswith("modification time of this copy:")
    assert "the time of the copy, not of the picture" in found.note
