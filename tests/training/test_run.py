"""A run from a DATA folder to a RUN folder, and everything that must stop it."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from steelsight.errors import BadCheckpoint, BadData, BadRecipe
from steelsight.models.checkpoint import load_checkpoint
from steelsight.sheets.grouping.splits import Split
from steelsight.sheets.options import DataOptions
from steelsight.sheets.rle import encode_mask
from steelsight.training import run as run_module
from steelsight.training.dataset import SheetData, open_training_sheets
from steelsight.training.loop.progress import NoProgress
from steelsight.training.recipe import Recipe
from steelsight.training.records import read_splits
from steelsight.training.run import load_run, make_split, train_data, train_run

Small = Callable[..., Recipe]
Folder = Callable[..., Path]


class _Notes(NoProgress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, line: str) -> None:
        self.lines.append(line)


def _without_clock(metrics: dict[str, Any]) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(metrics))
    for row in copy["training"]["history"]:
        row.pop("seconds"), row.pop("images_per_second")
    copy["training"].pop("resumed_after")
    return copy


def test_a_run_folder_is_complete(folder: Folder, small: Small, tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = train_run(folder(), recipe=small("task=multiclass"), out=out)
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert names == {
        "model.safetensors",
        "card.json",
        "recipe.json",
        "metrics.json",
        "splits.csv",
        "predictions.parquet",
        "checksums.json",
        "training_sketches.safetensors",
        "README.md",
        "report.html",
        "figures/learning_curves.png",
        "figures/precision_recall.png",
        "figures/confusion.png",
        "figures/roc.png",
    }
    assert json.loads((out / "metrics.json").read_text()) == json.loads(json.dumps(result.metrics))
    assert sum(result.metrics["data"]["parts"].values()) == 24
    for part in ("validation", "test", "test_noisy"):
        assert 0 <= result.metrics[part]["accuracy"]["estimate"] <= 1
    _, card = load_checkpoint(out)
    assert card.class_names == ("none", "bar", "block")
    assert card.recipe == json.loads((out / "recipe.json").read_text())
    assert not card.mask_supervised


def test_every_sheet_is_in_both_tables(folder: Folder, small: Small, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train_run(folder(), recipe=small("task=multiclass"), out=out)
    rows = list(csv.DictReader((out / "splits.csv").read_text().splitlines()))
    table = pq.read_table(out / "predictions.parquet").to_pydict()
    assert [row["id"] for row in rows] == table["id"]
    assert [row["split"] for row in rows] == table["split"]
    assert table["label"] == [Path(name).parent.name for name in table["id"]]
    probabilities = np.array(table["probabilities"])
    assert np.allclose(probabilities.sum(1), 1)
    names = pq.read_schema(out / "predictions.parquet").metadata[b"class_names"].decode().split("\n")
    assert [names[row.argmax()] for row in probabilities] == table["predicted"]
    exps = np.exp(np.array(table["logits"], dtype=np.float64))
    assert np.allclose(exps / exps.sum(1, keepdims=True), probabilities)


def test_same_seed_same_metrics(folder: Folder, small: Small, tmp_path: Path) -> None:
    data = folder()
    first, second, other = (
        train_run(data, recipe=small(), out=tmp_path / name, seed=seed)
        for name, seed in (("a", 5), ("b", 5), ("c", 6))
    )
    assert _without_clock(first.metrics) == _without_clock(second.metrics)
    assert first.card.weights_sha256 == second.card.weights_sha256 != other.card.weights_sha256


class _Stop(NoProgress):
    def epoch(self, row: object, *, best: bool) -> None:
        raise KeyboardInterrupt("stopped by the test")


def test_an_interrupted_run_ends_with_the_same_figures(folder: Folder, small: Small, tmp_path: Path) -> None:
    data, recipe = folder(), small("max_epochs=3")
    straight = train_run(data, recipe=recipe, out=tmp_path / "straight")
    with pytest.raises(KeyboardInterrupt, match="stopped by the test"):
        train_run(data, recipe=recipe, out=tmp_path / "run", progress=_Stop())
    with pytest.raises(
        BadCheckpoint, match=r"progress\.safetensors: an unfinished training with another recipe"
    ):
        train_run(data, recipe=small("max_epochs=4"), out=tmp_path / "run")
    resumed = train_run(data, recipe=recipe, out=tmp_path / "run")
    assert resumed.metrics["training"]["resumed_after"] == 1
    assert _without_clock(resumed.metrics) == _without_clock(straight.metrics)
    assert resumed.card.weights_sha256 == straight.card.weights_sha256
    assert not (tmp_path / "run" / "progress.safetensors").exists()


def test_a_finished_run_is_returned_and_never_overwritten_unasked(
    folder: Folder, small: Small, tmp_path: Path
) -> None:
    data, out, notes = folder(), tmp_path / "run", _Notes()
    first = train_run(data, recipe=small(), out=out)
    again = train_run(data, recipe=small(), out=out, progress=notes)
    assert (first.fresh, again.fresh) == (True, False)
    assert again.metrics == json.loads(json.dumps(first.metrics))
    assert "finished already" in notes.lines[0]
    with pytest.raises(BadCheckpoint, match=r"holds a finished training with another recipe.*--fresh"):
        train_run(data, recipe=small("max_epochs=1"), out=out)
    assert train_run(data, recipe=small("max_epochs=1"), out=out, fresh=True).fresh


def test_a_failing_fresh_run_leaves_the_old_model(
    folder: Folder, small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = folder(), tmp_path / "run"
    first = train_run(data, recipe=small(), out=out)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(run_module, "fit", broken)
    with pytest.raises(RuntimeError, match="out of memory"):
        train_run(data, recipe=small(), out=out, fresh=True)
    assert load_checkpoint(out)[1] == first.card
    with pytest.raises(BadCheckpoint, match=r"metrics\.json: expected the metrics of a finished training"):
        load_run(out)


def test_bad_items_stop_a_training_unless_allowed(folder: Folder, small: Small, tmp_path: Path) -> None:
    data = folder()
    (data / "bar" / "empty.jpg").touch()
    (data / "bar" / "text.png").write_text("no image")
    with pytest.raises(BadData, match=r"2 bad items, 1 allowed: bar/.*--allow-bad 2"):
        train_run(data, recipe=small(), out=tmp_path / "run", options=DataOptions(allow_bad=1))
    assert not (tmp_path / "run").exists()
    result = train_run(data, recipe=small(), out=tmp_path / "run", options=DataOptions(allow_bad=2))
    assert [item["id"] for item in result.metrics["data"]["set_aside"]] == ["bar/empty.jpg", "bar/text.png"]


def test_groups_stay_together_and_a_leaking_split_is_reported(
    folder: Folder, small: Small, tmp_path: Path
) -> None:
    data, notes = folder(), _Notes()
    recipe = small("task=multiclass", "split.method=groups")
    kept = train_run(data, recipe=recipe, out=tmp_path / "kept", options=DataOptions("frames:10"))
    assert kept.metrics["leaks"] == []
    parts: dict[str, set[str]] = {}
    for row in read_splits(tmp_path / "kept"):
        parts.setdefault(row.group, set()).add(row.split)
    assert len(parts) == 12
    assert all(len(found) == 1 for found in parts.values())
    recipe = small("task=multiclass", "split.method=random")
    leaky = train_run(
        data, recipe=recipe, out=tmp_path / "leaky", options=DataOptions("frames:10"), progress=notes
    )
    assert leaky.metrics["leaks"]
    assert "more than one part" in notes.lines[0]
    assert "Groups in more than one part" in (tmp_path / "leaky" / "report.html").read_text()


def test_a_split_without_training_sheets_is_refused(folder: Folder, small: Small, tmp_path: Path) -> None:
    recipe = small("split.method=random", "split.train=.02", "split.validation=.49", "split.test=.49")
    with pytest.raises(BadRecipe, match=r"24 sheets .* leave none to train on"):
        train_run(folder(), recipe=recipe, out=tmp_path / "run")


@pytest.fixture
def kaggle(tmp_path: Path) -> Path:
    """Kaggle's layout: eight sheets each of none, type 1, type 3, and four with both."""
    rng = np.random.default_rng(0)
    root = tmp_path / "kaggle"
    (root / "train_images").mkdir(parents=True)
    rows = ["ImageId,ClassId,EncodedPixels"]
    for number in range(28):
        gray = rng.integers(60, 120, (48, 64), dtype=np.uint8)
        types = [(), (1,), (3,), (1, 3)][3 if number >= 24 else number // 8]
        for kind in types:
            mask = np.zeros((48, 64), dtype=bool)
            mask[5:25, 10 * kind : 10 * kind + 8] = True
            gray[mask] = 230
            rows.append(f"{number:04}.png,{kind},{encode_mask(mask)}")
        Image.fromarray(gray).save(root / "train_images" / f"{number:04}.png")
    (root / "train.csv").write_text("\n".join(rows) + "\n")
    return root


def test_sheets_of_several_types_are_dropped_and_reported_apart(
    kaggle: Path, small: Small, tmp_path: Path
) -> None:
    result = train_run(kaggle, recipe=small("task=multiclass"), out=tmp_path / "run")
    assert result.metrics["apart"]["sheets"] == 4
    assert 0 <= result.metrics["apart"]["right"] <= 4
    apart = [row for row in read_splits(tmp_path / "run") if row.split == "apart"]
    assert len(apart) == 4
    assert all("+" in row.label for row in apart)


def test_multilabel_keeps_sheets_of_several_types(kaggle: Path, small: Small, tmp_path: Path) -> None:
    recipe = small("task=multilabel", "balance.method=loss", "split.method=random")
    result = train_run(kaggle, recipe=recipe, out=tmp_path / "run")
    assert result.metrics["apart"] is None
    assert sum(result.metrics["data"]["parts"].values()) == 28
    assert set(result.metrics["test"]["types"]) == set(result.metrics["class_names"])
    assert 0 <= result.metrics["test"]["all_types_right"] <= 1


def test_masks_are_read_and_the_card_says_so(kaggle: Path, small: Small, tmp_path: Path) -> None:
    recipe = small("task=multiclass", "loss.masks=1.0")
    assert train_run(kaggle, recipe=recipe, out=tmp_path / "run").card.mask_supervised


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_one_class_alone_is_refused_before_training(
    folder: Folder, small: Small, tmp_path: Path, task: str
) -> None:
    recipe, out = small(f"task={task}"), tmp_path / "run"
    data = folder(classes=1)
    with pytest.raises(BadData, match=r"DATA: expected sheets of at least .*, got only 'none'"):
        train_run(data, recipe=recipe, out=out)
    sheets = open_training_sheets(data, recipe)
    with pytest.raises(BadData, match="got only 'none'"):
        make_split(sheets, recipe.split, seed=0)
    with pytest.raises(BadData, match="got only 'none'"):
        train_data(sheets, Split(np.arange(4), np.arange(4, 6), np.arange(6, 8)), recipe, out, seed=0)
    assert not out.exists()


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ("none", r"found only defect-free ones \(8\); add defective sheets, or say with --defect-free"),
        ("bar", r"found only defective ones \(8\); say with --defect-free NAME which class is defect-free"),
    ],
)
def test_binary_training_on_one_side_is_refused_before_training(
    folder: Folder, small: Small, tmp_path: Path, kept: str, message: str
) -> None:
    data = folder(classes=2)
    for path in data.iterdir():
        if path.name != kept:
            shutil.rmtree(path)
    with pytest.raises(BadData, match=message):
        train_run(data, recipe=small("max_epochs=1"), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_remedy_of_that_refusal_helps(folder: Folder, small: Small, tmp_path: Path) -> None:
    """Two classes whose names say nothing: one of them is named as defect-free."""
    data = folder(classes=2)
    (data / "none").rename(data / "A-Ware")
    recipe = small("max_epochs=1")
    with pytest.raises(BadData, match="say with --defect-free NAME"):
        train_run(data, recipe=recipe, out=tmp_path / "run")
    done = train_run(data, DataOptions(defect_free=("A-Ware",)), recipe=recipe, out=tmp_path / "run")
    assert done.metrics["test"]["sheets"] > 0


@pytest.fixture
def lone(folder: Folder, small: Small) -> SheetData:
    """Eight sheets of bar, one of block, eight of none, in this order."""
    data = folder()
    for path in sorted((data / "block").iterdir())[1:]:
        path.unlink()
    return open_training_sheets(data, small("task=multiclass"))


@pytest.mark.parametrize("method", ["none", "loss", "sampling", "flips"])
@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_a_class_without_training_sheets_is_reported(
    lone: SheetData, small: Small, tmp_path: Path, method: str, part: str
) -> None:
    parts = {"train": [0, 1, 2, 9, 10, 11], "validation": [3, 4, 12, 13], "test": [5, 6, 14, 15]}
    parts[part] = sorted([*parts[part], 8])
    split = Split(*(np.array(rows) for rows in parts.values()))
    settings = (f"balance.method={method}", "flips.added=[0, 0, 3]", "max_epochs=1")
    recipe, notes = small("task=multiclass", *settings), _Notes()
    result = train_data(lone, split, recipe, tmp_path / "run", seed=0, progress=notes)
    (note,) = (each for each in result.metrics["notes"] if each.startswith("class "))
    lacking = "validation" if part == "train" else "training"
    assert note.startswith(f"class block: no {lacking} sheet")
    assert note in notes.lines
    assert f"* class block: no {lacking} sheet" in (tmp_path / "run" / "README.md").read_text()
    history = result.metrics["training"]["history"]
    assert all(np.isfinite(row["train_loss"]) for row in history)
    assert result.metrics["balance"]["before"] == [3, 3, int(part == "train")]
    if method == "flips":
        assert result.metrics["balance"]["after"] == [3, 3, 4 * (part == "train")]
