"""Generated sheets beside real ones: where they go, what they weigh, and which classes they may have."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.errors import BadRecipe
from steelsight.sheets.synthetic import synth_spec, write_sheets
from steelsight.training import run as run_module
from steelsight.training.dataset import SheetData, TrainingData, open_training_sheets, read_masks
from steelsight.training.generated import add_generated, generated_spec
from steelsight.training.loop.batches import draw_order
from steelsight.training.loop.losses import loss_weights
from steelsight.training.recipe import Recipe
from steelsight.training.recipe_files import load_recipe, override
from steelsight.training.records import read_splits
from steelsight.training.run import load_run, make_split, train_run

Small = Callable[..., Recipe]
Folder = Callable[..., Path]
COUNT = 10  # generated sheets


@pytest.fixture(scope="module")
def steel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sheets with the generator's classes, more of type 3 than of others."""
    folder = tmp_path_factory.mktemp("steel") / "DATA"
    shares = (0.2, 0.1, 0.1, 0.5, 0.1)
    return write_sheets(synth_spec(count=40, seed=1, version=2, class_shares=shares), folder, workers=1)


def _parts(data: Path, recipe: Recipe, seed: int = 0) -> tuple[SheetData, TrainingData]:
    sheets = open_training_sheets(data, recipe)
    split = make_split(sheets, recipe.split, seed=seed)
    masks = read_masks(sheets.items, sheets.input) if recipe.needs_masks else None
    return sheets, TrainingData(
        sheets.images,
        sheets.labelled.labels,
        split.train,
        split.validation,
        masks,
        sheets.group_indices,
        clean=sheets.labelled.clean,
    )


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_they_join_the_training_part_alone(steel: Path, small: Small, task: str) -> None:
    recipe = small(f"task={task}", f"generated.sheets={COUNT}", "loss.masks=1.0", "split.method=random")
    sheets, data = _parts(steel, recipe)
    joined = add_generated(data, sheets, recipe, seed=0)
    larger, count = joined.data, len(data.images)
    assert len(larger.images) == len(larger.targets) == count + COUNT
    assert (larger.images[:count] == data.images).all()
    assert (larger.targets[:count] == data.targets).all()
    assert set(larger.train) == {*data.train, *range(count, count + COUNT)}
    assert (larger.validation == data.validation).all()
    assert larger.masks is not None
    assert larger.groups is not None
    assert np.unique(larger.groups[count:]).size == COUNT
    assert not set(larger.groups[count:]) & set(larger.groups[:count])
    assert larger.masks.known[count:].mean() > 0.8  # a small mask may vanish at 48x64
    for row in range(count, count + COUNT):  # a mask belongs to a defect, and none to a sheet without
        defective = bool(larger.targets[row].any())
        assert not larger.masks.shares[row].any() or defective
    by_class = joined.facts["class_shares"]
    assert by_class["none"] == pytest.approx(0.5 if task == "binary" else 0.2)
    assert sum(by_class.values()) == pytest.approx(1)
    assert (joined.facts["version"], joined.facts["sheets"]) == (2, COUNT)


@pytest.mark.parametrize("method", ["none", "sampling", "loss"])
@pytest.mark.parametrize("share", [0.2, 0.5])
def test_they_have_their_share_of_the_loss(steel: Path, small: Small, method: str, share: float) -> None:
    recipe = small(
        "task=multiclass",
        f"generated.sheets={COUNT}",
        f"generated.share={share}",
        f"balance.method={method}",
        "split.method=random",
    )
    sheets, data = _parts(steel, recipe)
    larger = add_generated(data, sheets, recipe, seed=0).data
    odds = larger.intervention.odds
    assert odds is not None
    assert odds[data.validation].sum() == 0
    weights = loss_weights(larger.targets[larger.train], recipe, 5)
    weighed = odds if weights is None else odds * weights.numpy()[np.maximum(larger.targets, 0)]
    count = len(data.images)
    assert weighed[count:].sum() / weighed.sum() == pytest.approx(share)
    rng = np.random.default_rng(0)
    drawn = np.concatenate([draw_order(larger, recipe.balance, rng) for _ in range(400)])
    found = weighed / np.where(odds > 0, odds, 1)
    # Of about 10,000 draws the share of one part varies by .005; four of that.
    assert found[drawn][drawn >= count].sum() / found[drawn].sum() == pytest.approx(share, abs=0.02)
    if method == "sampling":  # the real sheets among themselves as without generated ones
        real = data.train
        labels = data.targets[real]
        wanted = np.bincount(labels, minlength=5)[labels] ** -recipe.balance.power
        assert np.allclose(odds[real] / odds[real].mean(), wanted / wanted.mean())


def test_only_the_classes_of_the_folder_are_drawn(folder: Folder, small: Small, tmp_path: Path) -> None:
    root = folder()
    (root / "bar").rename(root / "type 3")
    (root / "block").rename(root / "type 1")
    recipe = small("task=multiclass", f"generated.sheets={COUNT}")
    sheets, data = _parts(root, recipe)
    assert sheets.labelled.class_names == ("none", "type 1", "type 3")
    spec = generated_spec(sheets, COUNT, 0)
    assert spec.class_shares == pytest.approx((1 / 3, 1 / 3, 0, 1 / 3, 0))
    larger = add_generated(data, sheets, recipe, seed=0).data
    assert set(larger.targets[len(data.images) :].tolist()) == {0, 1, 2}


def test_other_classes_are_refused(folder: Folder, small: Small, tmp_path: Path) -> None:
    recipe = small("task=multiclass", f"generated.sheets={COUNT}")
    with pytest.raises(BadRecipe, match="type 1, type 2, type 3, type 4, got 'bar', 'block' in DATA; name"):
        train_run(folder(), recipe=recipe, out=tmp_path / "run")
    binary = override(recipe, {"task": "binary"})
    sheets = open_training_sheets(tmp_path / "DATA", binary)
    assert generated_spec(sheets, COUNT, 0).class_shares == pytest.approx((0.5, *[0.125] * 4))


def test_without_a_defect_free_class_none_are_drawn(folder: Folder, small: Small, tmp_path: Path) -> None:
    root = folder()
    (root / "bar").rename(root / "type 3")
    (root / "block").rename(root / "type 1")
    for path in (root / "none").iterdir():
        path.unlink()
    (root / "none").rmdir()
    recipe = small("task=multiclass", f"generated.sheets={COUNT}")
    sheets, data = _parts(root, recipe)
    assert sheets.labelled.clean is None
    assert generated_spec(sheets, COUNT, 0).class_shares == pytest.approx((0, 0.5, 0, 0.5, 0))
    larger = add_generated(data, sheets, recipe, seed=0).data
    assert set(larger.targets[len(data.images) :].tolist()) == {0, 1}


def test_they_are_other_sheets_than_those_of_synth_with_the_same_seed(steel: Path, small: Small) -> None:
    sheets = open_training_sheets(steel, small("task=multiclass"))
    assert generated_spec(sheets, COUNT, 1).seed != 1
    assert generated_spec(sheets, COUNT, 1) == generated_spec(sheets, COUNT, 1)
    assert generated_spec(sheets, COUNT, 1).seed != generated_spec(sheets, COUNT, 2).seed


@pytest.mark.parametrize("setting", ["patches.count=2", "labels.shuffle_seed=1"])
def test_what_they_cannot_go_with(setting: str) -> None:
    with pytest.raises(BadRecipe, match=r"generated\.sheets: expected whole sheets with their own labels"):
        load_recipe("default", [setting, "generated.sheets=5"])


def test_a_recipe_without_them_is_written_as_before(small: Small) -> None:
    assert "generated" not in small().model_dump(mode="json")
    again = override(small(), {"generated.sheets": 3})
    assert again.model_dump(mode="json")["generated"] == {"sheets": 3, "share": 0.5}
    assert Recipe.model_validate(small().model_dump(mode="json")) == small()


def test_the_verb(steel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[TrainingData] = []
    fit = run_module.fit

    def remember(model: Any, data: TrainingData, *args: Any, **extra: Any) -> Any:
        seen.append(data)
        return fit(model, data, *args, **extra)

    monkeypatch.setattr(run_module, "fit", remember)
    words = ["train", str(steel), "--out", str(tmp_path / "run"), "--with-generated", str(COUNT), "--json"]
    words += ["--task", "multiclass", "--epochs", "1", "--split", "random"]
    for setting in ("model.name=adhoc", "height=48", "width=64", "threads=1", "generated.share=.3"):
        words += ["--set", setting]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["generated"]["sheets"], told["generated"]["share"]) == (COUNT, 0.3)
    assert len(seen[0].images) == 40 + COUNT
    assert told["data"]["sheets"] == len(read_splits(tmp_path / "run")) == 40
    assert load_run(tmp_path / "run").card.recipe["generated"] == {"sheets": COUNT, "share": 0.3}
    assert f"{COUNT} sheets of the generator (version 2, seed" in (tmp_path / "run" / "README.md").read_text()
    bad = CliRunner().invoke(app, [*words[:5], "0"])
    assert bad.exit_code == 2
