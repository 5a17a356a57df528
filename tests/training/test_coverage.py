"""Classes without sheets: refused where one answer is left, noted where one part lacks them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from steelsight.errors import BadData, BadRecipe
from steelsight.models.catalog import grid_of
from steelsight.sheets.grouping.splits import Split
from steelsight.sheets.images.pixels import read_size
from steelsight.sheets.options import DataOptions
from steelsight.sheets.rle import encode_mask
from steelsight.training.coverage import (
    class_members,
    note_contradictions,
    note_few_groups,
    note_missing,
    note_small_defects,
    note_stretch,
    refuse_empty_parts,
    refuse_single_class,
)
from steelsight.training.dataset import SheetData, open_training_sheets
from steelsight.training.recipe import Recipe
from steelsight.training.run import make_split
from steelsight.types import InputSpec, MaskSource

Small = Callable[..., Recipe]
Folder = Callable[..., Path]

NONE = np.zeros(0, dtype=np.int64)


@pytest.fixture
def data(folder: Folder, small: Small) -> SheetData:
    """Sheets 0-3 bar, 4-7 block, 8-11 none."""
    return open_training_sheets(folder(per_class=4), small("task=multiclass"))


def _split(train: list[int], validation: list[int] | None = None) -> Split:
    return Split(np.array(train, dtype=np.int64), np.array(validation or [], dtype=np.int64), NONE)


def test_members_are_the_labels(data: SheetData, folder: Folder, small: Small) -> None:
    assert class_members(data).argmax(axis=1).tolist() == data.labelled.labels.tolist()
    assert (class_members(data).sum(axis=1) == 1).all()
    dropped = replace(data.labelled, labels=np.where(np.arange(12) == 5, -1, data.labelled.labels))
    assert not class_members(replace(data, labelled=dropped))[5].any()
    several = open_training_sheets(folder("several", per_class=4), small("task=multilabel"))
    assert (class_members(several) == (several.labelled.labels == 1)).all()
    assert class_members(several).sum(axis=0).tolist() == [4, 4]


def test_no_notes_where_every_class_is_present(data: SheetData) -> None:
    assert note_missing(data, _split([0, 4, 8], [1, 5, 9])) == []
    assert note_missing(data, _split([0, 4, 8])) == []  # without validation sheets no class is missed there


def test_each_missing_class_is_named_once(data: SheetData) -> None:
    untaught, unjudged = note_missing(data, _split([4, 8], [5]))
    assert untaught.startswith("class bar: no training sheet, so the model can never predict it")
    assert "split.method = stratified" in untaught
    assert unjudged.startswith("class none: no validation sheet")


def test_data_without_defect_free_sheets_have_no_such_class(folder: Folder, small: Small) -> None:
    root = folder(per_class=4)
    (root / "none").rename(root / "pit")
    sheets = open_training_sheets(root, small("task=multiclass"))
    assert sheets.labelled.class_names == ("bar", "block", "pit")
    (note,) = note_missing(sheets, _split([0, 4, 8]))
    assert note.startswith("no sheet is defect-free, so the model has defect types alone")
    assert note.endswith("name it with --defect-free")


def test_a_class_named_defect_free_that_became_a_defect_type_is_noted(folder: Folder, small: Small) -> None:
    root = folder(per_class=4)
    (root / "none").rename(root / "good")
    sheets = open_training_sheets(root, small("task=multiclass"), DataOptions(defect_free=("bar",)))
    (note,) = note_missing(sheets, _split([0, 4, 8]))
    assert note.startswith("class good counts as a defect type although its name says defect-free")
    assert "since only bar was named so" in note


def test_a_class_that_data_lack_altogether_has_another_remedy(data: SheetData) -> None:
    names = replace(data.labelled, class_names=(*data.labelled.class_names, "pit"))
    (note,) = note_missing(replace(data, labelled=names), _split([0, 4, 8]))
    assert note == "class pit: no sheet at all, so the model can never predict it; bring some"


def test_a_multilabel_type_is_missing_where_no_sheet_has_it(folder: Folder, small: Small) -> None:
    data = open_training_sheets(folder(per_class=4), small("task=multilabel"))
    (note,) = note_missing(data, _split([0, 8]))
    assert note.startswith("class block: no training sheet")


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("multiclass", r"DATA: expected sheets of at least two classes, got only 'none'; bring sheets"),
        ("multilabel", r"DATA: expected sheets of at least one defect type, got only 'none'; bring sheets"),
    ],
)
def test_a_single_possible_answer_is_refused(folder: Folder, small: Small, task: str, message: str) -> None:
    with pytest.raises(BadData, match=message):
        refuse_single_class(open_training_sheets(folder(classes=1), small(f"task={task}")))


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_two_possible_answers_are_accepted(folder: Folder, small: Small, task: str) -> None:
    refuse_single_class(open_training_sheets(folder(classes=2), small(f"task={task}")))


def test_binary_training_needs_both_sides(data: SheetData) -> None:
    binary = replace(data, task="binary")
    labelled = replace(data.labelled, class_names=("none", "defect"))
    both = replace(labelled, labels=(np.arange(12) < 8).astype(np.int64))
    refuse_single_class(replace(binary, labelled=both))
    defective = replace(
        binary, items=data.items[:8], labelled=replace(labelled, labels=np.ones(8, dtype=np.int64))
    )
    words = (
        r"found only defective ones \(8\); say with --defect-free NAME .*, or train with --task multiclass"
    )
    with pytest.raises(BadData, match=words):
        refuse_single_class(defective)
    clean = replace(
        binary, items=data.items[8:], labelled=replace(labelled, labels=np.zeros(4, dtype=np.int64))
    )
    with pytest.raises(BadData, match=r"found only defect-free ones \(4\); add defective sheets"):
        refuse_single_class(clean)


def test_parts_of_few_groups_are_noted_by_their_groups(data: SheetData) -> None:
    rows = np.arange(12)
    one, other = (
        note_few_groups(data, Split(rows, rows[:9], NONE)),
        note_few_groups(data, Split(rows, NONE, NONE)),
    )
    assert other == []
    assert one == ["validation: 9 sheets in 9 groups, fewer than 10, so figures on them are uncertain"]
    grouped = replace(
        data, items=tuple(replace(item, group=f"g{i // 4}") for i, item in enumerate(data.items))
    )
    notes = note_few_groups(grouped, Split(rows, NONE, rows[:5]))
    assert notes[0].startswith("train: 12 sheets in 3 groups")
    assert notes[1].startswith("test: 5 sheets in 2 groups")


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_an_empty_part_with_a_share_is_refused(data: SheetData, small: Small, part: str) -> None:
    recipe = small("split.train=0.5", "split.validation=0.25", "split.test=0.25").split
    rows = {"train": np.arange(4), "validation": np.arange(4, 8), "test": np.arange(8, 12)}
    refuse_empty_parts(data, Split(**rows), recipe)
    with pytest.raises(
        BadRecipe, match=f"expected {part} sheets for split.{part} = .*12 sheets in 12 groups"
    ):
        refuse_empty_parts(data, Split(**(rows | {part: NONE})), recipe)


def test_an_empty_part_without_a_share_is_accepted(data: SheetData, small: Small) -> None:
    recipe = small("split.train=0.5", "split.validation=0.5", "split.test=0").split
    refuse_empty_parts(data, Split(np.arange(6), np.arange(6, 12), NONE), recipe)


def test_one_large_group_leaves_no_test_part_and_is_refused_before_training(
    data: SheetData, small: Small
) -> None:
    whole = replace(data, items=tuple(replace(item, group="coil") for item in data.items))
    with pytest.raises(BadRecipe, match="in 1 groups; bring more sheets, group them by another rule"):
        make_split(whole, small("task=multiclass", "split.method=groups").split, seed=0)


def test_an_input_that_stretches_the_sheets_is_noted_with_one_that_fits(data: SheetData) -> None:
    height, width = read_size(data.items[0].path)
    assert note_stretch(replace(data, input=InputSpec(height, width))) == []
    (note,) = note_stretch(replace(data, input=InputSpec(48, 48 * 8)))
    assert "the input 48x384 stretches the sheets" in note
    proposed = InputSpec(*(int(side) for side in re.findall(r"=(\d+)", note)))
    assert note_stretch(replace(data, input=proposed)) == []
    assert note_stretch(replace(data, input=InputSpec(48, 48 * 8, "letterbox"))) == []


@pytest.mark.parametrize(
    ("pairs", "count"),
    [([], 0), ([(0, 1)], 0), ([(0, 4)], 1), ([(0, 8), (4, 9)], 2), ([(0, 1), (0, 4), (0, 8)], 2)],
)
def test_same_pixels_in_two_classes_are_noted(
    data: SheetData, pairs: list[tuple[int, int]], count: int
) -> None:
    images = np.array(data.images)
    for first, other in pairs:
        images[other] = images[first]
    notes = note_contradictions(replace(data, images=images))
    assert len(notes) == (count > 0)
    if count:
        assert notes[0].startswith(f"{count} sheets have the pixels of another sheet and a different class")
        first, other = next(pair for pair in pairs if pair[0] // 4 != pair[1] // 4)
        assert f"{data.ids[first]} (bar) and {data.ids[other]}" in notes[0]


def test_defects_smaller_than_a_place_are_noted(data: SheetData, small: Small) -> None:
    spec = small("task=multiclass").model_spec(3)
    assert note_small_defects(data, spec) == []  # no masks
    height, width = read_size(data.items[0].path)
    mask = np.zeros((height, width), dtype=bool)
    mask[: height // 2, : width // 2] = True
    source = MaskSource(1, runs=encode_mask(mask))
    masked = tuple(
        replace(item, masks=(replace(source, defect_type=item.types[0]),), evidence="mask")
        if item.types
        else item
        for item in data.items
    )
    whole = replace(data, items=masked, input=InputSpec(height, width))
    large = replace(whole, input=InputSpec(8 * height, 8 * width))
    assert note_small_defects(large, spec) == []
    (note,) = note_small_defects(replace(whole, input=InputSpec(4, 4)), spec)
    places = grid_of(spec)
    cell = f"{spec.size[0] / places[0]:.0f}x{spec.size[1] / places[1]:.0f} px"
    assert f"less than 2 px across in the input of 4x4, below one place of the feature map, {cell}" in note
    assert "--set height=8 --set width=8" in note
