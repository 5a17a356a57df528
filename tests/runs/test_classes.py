"""Classes of DATA are matched with those of a run by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steelsight.errors import BadData
from steelsight.runs.classes import match_classes
from steelsight.training.dataset import SheetData, open_sheets
from steelsight.types import InputSpec, Task

RUN = ("none", "crack", "dent", "scale")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "DATA"


def sheets_of(root: Path, *classes: str, task: Task = "multiclass") -> SheetData:
    rng = np.random.default_rng(0)
    for name in classes:
        (root / name).mkdir(parents=True)
        for number in range(2):
            gray = rng.integers(0, 255, (48, 64), dtype=np.uint8)
            Image.fromarray(gray).save(root / name / f"{name}{number}.png")
            if name != "good":
                mask = np.zeros((48, 64), dtype=np.uint8)
                mask[8:20, 8:20] = 255
                Image.fromarray(mask).save(root / name / f"{name}{number}_mask.png")
    return open_sheets(root, task, InputSpec(48, 64))


@pytest.mark.parametrize("classes", [("good", "scale"), ("scale", "crack"), ("good", "dent", "crack")])
def test_a_part_of_the_classes_is_mapped_by_name(classes: tuple[str, ...], root: Path) -> None:
    sheets = sheets_of(root, *classes)
    matched = match_classes(sheets, RUN, "multiclass", root)
    assert matched.labelled.class_names == matched.type_names == RUN
    for item, label in zip(matched.items, matched.labelled.labels.tolist(), strict=True):
        folder = item.id.partition("/")[0]
        assert RUN[label] == ("none" if folder == "good" else folder)
        assert {mask.defect_type for mask in item.masks} <= {label}
        assert label == 0 or item.masks
    assert matched.ids == sheets.ids
    assert matched.data_hash == sheets.data_hash


def test_types_of_a_multilabel_run(root: Path) -> None:
    sheets = sheets_of(root, "good", "scale", task="multilabel")
    matched = match_classes(sheets, RUN[1:], "multilabel", root)
    assert matched.labelled.class_names == RUN[1:]
    assert matched.labelled.labels.sum(axis=0).tolist() == [0, 0, 2]


def test_the_same_classes_are_left_as_they_are(root: Path) -> None:
    sheets = sheets_of(root, "good", "crack")
    assert match_classes(sheets, ("none", "crack"), "multiclass", root) is sheets


def test_a_class_that_the_run_lacks_is_refused_by_name(root: Path) -> None:
    sheets = sheets_of(root, "good", "crack", "rust")
    with pytest.raises(
        BadData, match=r"expected only classes of the run \(none, crack, .*\), got rust; leave"
    ):
        match_classes(sheets, RUN, "multiclass", root)
