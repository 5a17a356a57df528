"""Areas and centres come from the masks, and only sheets with masks count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steelsight.sheets.formats.class_folders import read_folder
from steelsight.training.report.places import report_places


@pytest.fixture
def sheets(tmp_path: Path) -> Path:
    """Eight sheets with a square defect of side 2, 4, … 16 in a corner, one without a mask, one clean."""
    for name in ("crack", "none"):
        (tmp_path / name).mkdir()
    for number in range(1, 9):
        mask = np.zeros((40, 80), dtype=np.uint8)
        mask[: 2 * number, : 2 * number] = 255
        Image.fromarray(mask // 2 + 60).save(tmp_path / "crack" / f"c{number}.jpg")
        Image.fromarray(mask).save(tmp_path / "crack" / f"c{number}.png")
    Image.fromarray(np.full((40, 80), 90, np.uint8)).save(tmp_path / "crack" / "x.jpg")
    Image.fromarray(np.full((40, 80), 90, np.uint8)).save(tmp_path / "none" / "n.jpg")
    return tmp_path


def test_areas_and_centres_of_masked_sheets(sheets: Path, rng: np.random.Generator) -> None:
    items = read_folder(sheets).items
    sides = {item.id: int(item.path.stem[1:] or 0) * 2 for item in items if item.path.stem[0] == "c"}
    found = np.array([sides.get(item.id, 99) >= 6 for item in items])
    report = report_places(items, found, rng=rng, resamples=20)
    assert report is not None
    assert report["sheets"] == 8
    assert report["smallest"]["found_px"] == 36
    assert [row["sheets"] for row in report["by_area"]] == [2, 2, 2, 2]
    assert [row["recall"]["estimate"] for row in report["by_area"]] == [0, 1, 1, 1]
    assert [(row["left"], row["top"]) for row in report["by_place"]] == [(0.0, 0.0)]


def test_without_masks_there_is_no_report(sheets: Path, rng: np.random.Generator) -> None:
    bare = [item for item in read_folder(sheets).items if not item.masks]
    assert report_places(bare, np.ones(len(bare), dtype=bool), rng=rng) is None
