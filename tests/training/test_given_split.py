"""Training on the split that a data set brings along."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steelsight.errors import BadData, BadRecipe
from steelsight.runs.data.describe import describe_folder
from steelsight.runs.evaluate import evaluate_run
from steelsight.sheets.options import DataOptions
from steelsight.training.dataset import SheetData, open_training_sheets
from steelsight.training.folds import cross_validate
from steelsight.training.given_split import find_given_leaks
from steelsight.training.options import FoldOptions
from steelsight.training.recipe import Recipe
from steelsight.training.records import read_splits
from steelsight.training.run import make_split, train_run

Small = Callable[..., Recipe]
PARTS = {"train": 6, "val": 3, "test": 4}
FULL = {"train": "train", "val": "validation", "test": "test"}


def write(path: Path, rng: np.random.Generator, *, defect: bool) -> None:
    pixels = rng.integers(90, 130, (48, 64), dtype=np.uint8)
    if defect:
        pixels[10:30, 20:44] = 230
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """train/val/test folders with ok_front and pit in each."""
    rng = np.random.default_rng(0)
    for part, count in PARTS.items():
        for kind in ("ok_front", "pit"):
            for number in range(count):
                path = tmp_path / "DATA" / part / kind / f"{part}_{kind}_{number}.png"
                write(path, rng, defect=kind == "pit")
    return tmp_path / "DATA"


@pytest.fixture
def given(small: Small) -> Recipe:
    return small("split.method=given", "max_epochs=1")


def names_of(sheets: SheetData, rows: np.ndarray) -> set[str]:
    return {sheets.ids[i].split("/")[0] for i in rows.tolist()}


def test_every_sheet_stays_in_its_given_part(root: Path, given: Recipe, tmp_path: Path) -> None:
    done = train_run(root, recipe=given, out=tmp_path / "run")
    for row in read_splits(done.folder):
        assert row.split == FULL[row.id.split("/")[0]]
    assert done.metrics["data"]["given_split"] == {"train": 12, "validation": 6, "test": 8}
    assert done.metrics["test"]["sheets"] == 8
    assert "the split is the given one: 12 train, 6 validation, 8 test" in done.metrics["notes"]
    assert not done.metrics["leaks"]
    report = evaluate_run(done.folder, root).metrics
    assert report["report"]["sheets"] == 8
    assert "the given test part has 8 sheets" in report["notes"]


@pytest.mark.parametrize("seed", range(5))
def test_a_missing_validation_part_comes_from_training_alone(root: Path, given: Recipe, seed: int) -> None:
    shutil.rmtree(root / "val")
    sheets = open_training_sheets(root, given)
    split = make_split(sheets, given.split, seed=seed)
    assert names_of(sheets, split.train) == names_of(sheets, split.validation) == {"train"}
    assert names_of(sheets, split.test) == {"test"}
    assert split.train.size + split.validation.size == 12
    assert split.validation.size == 12 * 0.25


def test_without_a_test_part_there_are_no_test_figures(root: Path, given: Recipe, tmp_path: Path) -> None:
    shutil.rmtree(root / "test")
    done = train_run(root, recipe=given, out=tmp_path / "run")
    assert done.metrics["test"] is None
    assert any("no test part" in note for note in done.metrics["notes"])


def test_the_same_sheet_in_two_parts_is_reported(root: Path, given: Recipe, tmp_path: Path) -> None:
    shutil.copy(root / "train/pit/train_pit_0.png", root / "test/pit/copy.png")
    done = train_run(root, recipe=given, out=tmp_path / "run")
    (leak,) = done.metrics["leaks"]
    assert "train_pit_0.png in train" in leak
    assert "copy.png in test" in leak
    page = (done.folder / "report.html").read_text()
    assert "pairs of near-duplicates have sheets in more than one part" in page
    notes = evaluate_run(done.folder, root).metrics["notes"]
    assert "the given test part has 9 sheets; 1 of them, or of their groups, were seen in training" in notes


def test_a_group_in_two_parts_is_reported(root: Path, given: Recipe, tmp_path: Path) -> None:
    rows = [
        f"{path.relative_to(root)},{path.parent.name}{path.stem[-1]}" for path in sorted(root.rglob("*.png"))
    ]
    (root / "groups.csv").write_text("\n".join(["ImageId,coil", *rows]))
    done = train_run(root, DataOptions("column:coil"), recipe=given, out=tmp_path / "run")
    assert any(leak.startswith("group pit0: 1 in") for leak in done.metrics["leaks"])


@pytest.mark.parametrize("column", ["part", "split", "subset"])
def test_a_table_gives_the_split(root: Path, given: Recipe, tmp_path: Path, column: str) -> None:
    flat = tmp_path / "flat"
    rows = []
    for path in sorted(root.rglob("*.png")):
        target = flat / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        rows.append(f"{path.parent.name}/{path.name},{path.name.split('_')[0]}")
    (flat / "split.csv").write_text("\n".join([f"ImageId,{column}", *rows]))
    sheets = open_training_sheets(flat, given)
    split = make_split(sheets, given.split, seed=0)
    assert [split.train.size, split.validation.size, split.test.size] == [12, 6, 8]
    (flat / "split.csv").write_text("\n".join([f"ImageId,{column}", *rows[1:]]))
    with pytest.raises(
        BadData, match=r"1 of 26 sheets are in no part of the given split, the first ok_front"
    ):
        make_split(open_training_sheets(flat, given), given.split, seed=0)


def test_coco_files_of_parts_give_the_split(given: Recipe, tmp_path: Path, small: Small) -> None:
    rng = np.random.default_rng(0)
    root = tmp_path / "coco"
    for part, count in PARTS.items():
        images, notes = [], []
        for number in range(2 * count):
            name = f"{part}{number}.png"
            write(root / "images" / name, rng, defect=number % 2 == 1)
            images.append({"id": number, "file_name": name, "height": 48, "width": 64})
            if number % 2:
                box = [20, 10, 44, 10, 44, 30, 20, 30]
                notes.append({"id": number, "image_id": number, "category_id": 1, "segmentation": [box]})
        document = {"images": images, "annotations": notes, "categories": [{"id": 1, "name": "pit"}]}
        path = root / "annotations" / f"instances_{part}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))
    split = make_split(open_training_sheets(root, given), given.split, seed=0)
    assert [split.train.size, split.validation.size, split.test.size] == [12, 6, 8]


def test_data_without_a_split_are_refused(root: Path, given: Recipe, tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"expected a given split: .* split.csv .* found none.*--split groups"):
        train_run(root / "train", recipe=given, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_training_part_of_one_class_is_refused(root: Path, given: Recipe, tmp_path: Path) -> None:
    """As MVTec AD has it."""
    shutil.rmtree(root / "train" / "pit")
    with pytest.raises(BadData, match=r"at least two classes in the given split, got only ok_front \(6\)"):
        train_run(root, recipe=given, out=tmp_path / "run")


def test_the_count_of_a_training_part_of_one_class_is_that_of_data(
    root: Path, given: Recipe, tmp_path: Path
) -> None:
    """Before sheets of it are taken for validation."""
    shutil.rmtree(root / "train" / "pit")
    shutil.rmtree(root / "val")
    with pytest.raises(
        BadData, match=r"at least two classes in the given split, got only ok_front \(6\); it"
    ):
        train_run(root, recipe=given, out=tmp_path / "run")


def test_a_class_that_validation_takes_whole_is_told_so(root: Path, given: Recipe) -> None:
    for path in sorted((root / "train" / "pit").iterdir())[1:]:
        path.unlink()
    shutil.rmtree(root / "val")
    sheets = open_training_sheets(root, given, DataOptions())
    half = given.split.model_copy(update={"train": 0.1, "validation": 0.8, "test": 0.1})
    told = []
    for seed in range(30):
        try:
            make_split(sheets, half, seed=seed)
        except BadData as error:
            told.append(str(error))
    assert told
    for text in told:
        found = re.search(r"\((\d+) of 7: (\d+) serve as validation sheets\)", text)
        assert found is not None
        assert int(found[1]) + int(found[2]) == 7


def test_a_training_part_that_cannot_be_divided_is_refused(root: Path, given: Recipe) -> None:
    shutil.rmtree(root / "val")
    rows = [f"{path.relative_to(root)},one" for path in sorted(root.rglob("*.png"))]
    (root / "groups.csv").write_text("\n".join(["ImageId,coil", *rows]))
    sheets = open_training_sheets(root, given, DataOptions("column:coil"))
    with pytest.raises(BadRecipe, match="12 training sheets in 1 groups cannot be divided"):
        make_split(sheets, given.split, seed=0)


def test_folds_never_train_on_a_given_test_part(root: Path, given: Recipe, tmp_path: Path) -> None:
    with pytest.raises(BadRecipe, match="would train on the given test part"):
        cross_validate(root, recipe=given, out=tmp_path / "folds", folds=FoldOptions(2))


@pytest.mark.parametrize("size", [(48, 48), (48, 64), (64, 400), (96, 48)])
def test_leaks_do_not_depend_on_the_models_input(
    root: Path, small: Small, tmp_path: Path, size: tuple[int, int]
) -> None:
    """`data` and training find the same near-duplicates across the given parts, whatever the input."""
    for number in range(3):
        source = Image.open(root / "train" / "pit" / f"train_pit_{number}.png")
        noisy = np.asarray(source).astype(np.int64) + np.random.default_rng(number).integers(-9, 10, (48, 64))
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(
            root / "test" / "pit" / f"test_pit_{number}.png"
        )
    described = describe_folder(root).description.leaks
    assert len(described) >= 3
    recipe = small("split.method=given", f"height={size[0]}", f"width={size[1]}")
    data = open_training_sheets(root, recipe)
    assert sorted(find_given_leaks(data)) == sorted(described)


def test_the_same_pixels_in_two_classes_are_noted_before_training(
    root: Path, given: Recipe, tmp_path: Path
) -> None:
    shutil.copy(root / "train" / "pit" / "train_pit_0.png", root / "train" / "ok_front" / "copy.png")
    done = train_run(root, recipe=given, out=tmp_path / "run")
    assert any("a different class" in note and "copy.png" in note for note in done.metrics["notes"])
