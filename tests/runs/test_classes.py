"""Classes of DATA are matched with those of a run by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steelsight.errors import BadData
from steelsight.models.card import Card
from steelsight.models.catalog import ModelSpec
from steelsight.runs.opening.classes import match_classes
from steelsight.training.dataset import SheetData, open_sheets
from steelsight.types import InputSpec, Task

RUN = ("none", "crack", "dent", "scale")


def card_of(*names: str, task: Task = "multiclass", free: str | None = "none") -> Card:
    model = ModelSpec(name="adhoc", outputs=len(names), height=48, width=64)
    return Card(
        task=task,
        class_names=names,
        defect_free_class=free,
        model=model,
        input=InputSpec(48, 64),
        data_hash="",
        seed=0,
    )


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
    matched = match_classes(sheets, card_of(*RUN), root)
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
    matched = match_classes(sheets, card_of(*RUN[1:], task="multilabel"), root)
    assert matched.labelled.class_names == RUN[1:]
    assert matched.labelled.labels.sum(axis=0).tolist() == [0, 0, 2]


def test_the_same_classes_are_left_as_they_are(root: Path) -> None:
    sheets = sheets_of(root, "good", "crack")
    assert match_classes(sheets, card_of("good", "crack", free="good"), root) is sheets


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_the_defect_free_class_is_matched_by_its_role(root: Path, task: Task) -> None:
    """As in runs of older versions, which call it none, and in other folders."""
    sheets = sheets_of(root, "good", "crack", task=task)
    names = ("ok_front", "crack" if task == "multiclass" else "defect")
    matched = match_classes(sheets, card_of(*names, task=task, free="ok_front"), root)
    assert matched.labelled.class_names == names
    assert matched.labelled.labels.tolist() == sheets.labelled.labels.tolist()
    assert matched.labelled.clean == 0
    assert matched.type_names == ("ok_front", "crack")


def test_a_run_without_a_defect_free_class(root: Path) -> None:
    """Its outputs are the defect types alone, here in another order than the folders'."""
    sheets = sheets_of(root, "scale", "crack")
    assert sheets.labelled.class_names == ("crack", "scale")
    assert sheets.labelled.clean is None
    matched = match_classes(sheets, card_of("scale", "dent", "crack", free=None), root)
    assert matched.labelled.class_names == ("scale", "dent", "crack")
    for item, label in zip(matched.items, matched.labelled.labels.tolist(), strict=True):
        assert matched.labelled.class_names[label] == item.id.partition("/")[0]
        assert {mask.defect_type for mask in item.masks} == {label + 1}
        assert item.types == (label + 1,)


def test_defect_free_sheets_for_a_run_without_such_a_class_are_refused(root: Path) -> None:
    sheets = sheets_of(root, "good", "crack")
    with pytest.raises(BadData, match=r"expected only classes of the run \(crack, dent\), got good; leave"):
        match_classes(sheets, card_of("crack", "dent", free=None), root)


def test_a_run_with_a_defect_free_class_judges_defective_sheets_alone(root: Path) -> None:
    matched = match_classes(sheets_of(root, "crack", "dent"), card_of(*RUN), root)
    assert matched.labelled.class_names == RUN
    assert matched.labelled.labels.tolist() == [1, 1, 2, 2]
    assert matched.labelled.clean == 0


def test_a_defect_type_called_as_the_defect_free_class_of_the_run(root: Path) -> None:
    sheets = sheets_of(root, "A-Ware", "crack")
    with pytest.raises(BadData, match=r"A-Ware is the defect-free class of the run.*--defect-free A-Ware"):
        match_classes(sheets, card_of("A-Ware", "crack", free="A-Ware"), root)


def test_a_class_that_the_run_lacks_is_refused_by_name(root: Path) -> None:
    sheets = sheets_of(root, "good", "crack", "rust")
    with pytest.raises(
        BadData, match=r"expected only classes of the run \(none, crack, .*\), got rust; leave"
    ):
        match_classes(sheets, card_of(*RUN), root)
