"""A training that starts from a finished run, or from the weights that come along."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.errors import BadCheckpoint, BadRecipe, MissingWeights
from steelsight.models.checkpoint import load_checkpoint
from steelsight.models.starts import read_steel
from steelsight.runs.evaluate import evaluate_run
from steelsight.runs.opening.open import open_run
from steelsight.runs.transplant.donors import untrained, untrained_control
from steelsight.sheets.options import DataOptions
from steelsight.sheets.synthetic import synth_spec, write_sheets
from steelsight.training.earlier import EARLIER_FILE, read_earlier
from steelsight.training.fine_tune import fine_tuning_recipe
from steelsight.training.recipe import Recipe
from steelsight.training.recipe_files import override
from steelsight.training.records import pixel_hashes, read_splits
from steelsight.training.run import load_run, train_run
from steelsight.training.start import StartedRecipe

Small = Callable[..., Recipe]
Folder = Callable[..., Path]

# One step of next to no length: the trained weights are those of the start.
STILL = ("max_epochs=1", "learning_rate=1e-12", "weight_decay=0.0", "ema=0.0", "split.method=stratified")
TOLERANCE = 1e-7


@pytest.fixture
def first(folder: Folder, small: Small, train_once: Any, tmp_path: Path) -> Path:
    """A run of three classes."""
    train_once(train_run, folder(), recipe=small("task=multiclass"), out=tmp_path / "first")
    return tmp_path / "first"


def _state(run: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(run)[0].state_dict()


def _same(left: Path, right: Path, part: str) -> bool:
    a, b = _state(left), _state(right)
    names = [name for name in a if name.startswith(part)]
    assert names
    return all(a[name].shape == b[name].shape for name in names) and all(
        torch.allclose(a[name], b[name], atol=TOLERANCE) for name in names
    )


def test_the_same_classes_start_with_features_and_head(first: Path, folder: Folder, tmp_path: Path) -> None:
    recipe = fine_tuning_recipe(first, settings=STILL)
    assert (recipe.model, recipe.input, recipe.batch_size) == (
        load_run(first).recipe.model,
        load_run(first).recipe.input,
        4,
    )
    done = train_run(folder("more", seed=5), recipe=recipe, out=tmp_path / "second", seed=3)
    assert _same(first, tmp_path / "second", "features.")
    assert _same(first, tmp_path / "second", "head.")
    before = load_run(first).card
    (entry,) = done.card.history
    assert (entry["run"], entry["weights_sha256"], entry["head"]) == ("first", before.weights_sha256, "kept")
    assert done.card.model.pretrained == "run"
    assert done.card.input == before.input
    assert done.metrics["started_from"] == [entry]
    assert (
        "trained from the weights of run first on DATA (kept head)"
        in (tmp_path / "second" / "README.md").read_text()
    )


def test_other_classes_get_a_new_head_on_the_features(first: Path, folder: Folder, tmp_path: Path) -> None:
    recipe = fine_tuning_recipe(first, settings=STILL)
    done = train_run(folder("two", classes=2), recipe=recipe, out=tmp_path / "second")
    assert _same(first, tmp_path / "second", "features.")
    assert done.card.model.outputs == 2
    assert done.card.history[-1]["head"] == "new"
    third = fine_tuning_recipe(first, settings=[*STILL, "model.pooling=average"])
    train_run(folder("more", seed=5), recipe=third, out=tmp_path / "third")
    assert _same(first, tmp_path / "third", "features.")
    assert not _same(first, tmp_path / "third", "head.")


def test_the_origin_goes_on_over_several_runs(first: Path, folder: Folder, tmp_path: Path) -> None:
    second, third = tmp_path / "second", tmp_path / "third"
    train_run(folder("b", seed=5), recipe=fine_tuning_recipe(first, settings=STILL), out=second)
    done = train_run(folder("c", seed=6), recipe=fine_tuning_recipe(second, settings=STILL), out=third)
    assert [entry["run"] for entry in done.card.history] == ["first", "second"]
    learnt = {row.pixels for run in (first, second) for row in read_splits(run) if row.split != "test"}
    assert {row.pixels for row in read_earlier(third)} == learnt
    assert done.card.history[-1]["learnt_sheets"] == len(learnt)


def test_sheets_of_the_first_run_are_not_unseen(first: Path, folder: Folder, tmp_path: Path) -> None:
    old, second = folder("old"), tmp_path / "second"  # the sheets of the first run, in another folder
    train_run(folder("b", seed=5), recipe=fine_tuning_recipe(first, settings=STILL), out=second)
    opened = open_run(second, old)
    learnt = {row.pixels for row in read_splits(first) if row.split in ("train", "validation")}
    hashes = pixel_hashes(opened.data.images)
    assert {hashes[i] for i in opened.choose("unseen")} == set(hashes) - learnt
    assert evaluate_run(second, old, part="unseen").metrics["report"]["sheets"] == 24 - len(learnt)
    # Where its own test sheets are among them, the run says so.
    again = train_run(old, recipe=fine_tuning_recipe(first, settings=STILL), out=tmp_path / "again", seed=11)
    (note,) = [note for note in again.metrics["notes"] if "learnt from" in note]
    apart = [row for row in read_splits(tmp_path / "again") if row.split in ("validation", "test")]
    seen = sum(row.pixels in learnt for row in apart)
    assert note.startswith(f"{seen} of {len(apart)} validation and test sheets have the pixels of sheets")


def test_the_training_is_another_than_without_the_run(first: Path, folder: Folder, tmp_path: Path) -> None:
    data, out = folder("b", seed=5), tmp_path / "second"
    recipe = fine_tuning_recipe(first, settings=STILL)
    train_run(data, recipe=recipe, out=out)
    assert not train_run(data, recipe=recipe, out=out).fresh
    own = Recipe.model_validate(load_run(out).card.recipe)
    with pytest.raises(BadCheckpoint, match="another recipe, seed, split or other data"):
        train_run(data, recipe=own, out=out)
    train_run(data, recipe=own, out=out, fresh=True)
    assert not (out / EARLIER_FILE).exists()
    assert load_run(out).card.history == ()


def test_missing_or_altered_earlier_sheets_are_refused(first: Path, folder: Folder, tmp_path: Path) -> None:
    data, out = folder("b", seed=5), tmp_path / "second"
    train_run(data, recipe=fine_tuning_recipe(first, settings=STILL), out=out)
    path = out / EARLIER_FILE
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(BadCheckpoint, match=f"{EARLIER_FILE}: expected the file that was written"):
        open_run(out, data)
    path.unlink()
    with pytest.raises(BadCheckpoint, match=EARLIER_FILE):
        open_run(out, data)


def test_changes_of_a_recipe_keep_the_start(first: Path) -> None:
    recipe = override(fine_tuning_recipe(first, settings=STILL), {"split.train": 0.8, "split.test": 0.0})
    assert isinstance(recipe, StartedRecipe)
    assert recipe.split.train == 0.8
    assert "start" not in recipe.model_dump()


@pytest.mark.parametrize(
    ("source", "settings", "message"),
    [
        (None, ["model.name=squeezenet_reduced"], r"model\.name = adhoc, got squeezenet_reduced"),
        (None, ["height=64"], r"input\.height = 48, got 64; leave out --recipe, --model and --set input"),
        (None, ["fit=crop"], r"input\.fit = stretch, got crop"),
        ("accurate", [], r"model\.name = adhoc, got efficientnet_lite0"),
        ("default", ["model.name=adhoc", "height=48"], r"input\.width = 64, got 400"),
    ],
)
def test_another_network_or_input_is_refused(
    first: Path, source: str | None, settings: list[str], message: str
) -> None:
    with pytest.raises(BadRecipe, match=message):
        fine_tuning_recipe(first, source, settings)


def test_a_recipe_of_ones_own_may_agree(first: Path) -> None:
    recipe = fine_tuning_recipe(
        first, "default", ["model.name=adhoc", "height=48", "width=64", "learning_rate=1e-5"]
    )
    assert (recipe.optimiser.learning_rate, recipe.batch_size) == (1e-5, 32)


def test_runs_that_cannot_be_started_from(first: Path, folder: Folder, small: Small, tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match="expected a RUN folder, found none"):
        fine_tuning_recipe(tmp_path / "nowhere")
    half = tmp_path / "half"
    shutil.copytree(first, half)
    (half / "metrics.json").unlink()
    with pytest.raises(BadCheckpoint, match="expected the metrics of a finished training"):
        fine_tuning_recipe(half)
    control = small("task=multiclass", "labels.shuffle_seed=1", "max_epochs=1")
    train_run(folder("own"), recipe=control, out=tmp_path / "control")
    with pytest.raises(BadRecipe, match="a control trained on shuffled labels"):
        fine_tuning_recipe(tmp_path / "control")


def test_the_bits_of_files_are_those_of_the_run(first: Path, folder: Folder, tmp_path: Path) -> None:
    recipe = fine_tuning_recipe(first, settings=STILL)
    with pytest.raises(BadRecipe, match="--bits 12: the model was trained without --bits"):
        train_run(folder("b"), DataOptions(bits=12), recipe=recipe, out=tmp_path / "second")


def test_the_verb(first: Path, folder: Folder, tmp_path: Path) -> None:
    words = ["train", str(folder("b", seed=5, per_class=12)), "--from", str(first), "--epochs", "1", "--json"]
    words += ["--split", "stratified"]
    done = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "second")])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.splitlines()[-1])
    assert [entry["run"] for entry in told["started_from"]] == ["first"]
    folds = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "folds"), "--folds", "2"])
    assert folds.exit_code == 0, folds.output
    for number in range(2):
        card = load_run(tmp_path / "folds" / f"fold-0-{number}").card
        assert card.history[-1]["weights_sha256"] == load_run(first).card.weights_sha256
    bad = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "x"), "--model", "squeezenet_reduced"])
    assert bad.exit_code == 2
    assert "expected its own network" in bad.output


def test_a_training_starts_from_steel(tmp_path: Path) -> None:
    write_sheets(synth_spec(count=15, seed=3, version=2), tmp_path / "DATA")
    settings = [*STILL, "task=multiclass", "model.pretrained=steel", "split.method=random", "threads=1"]
    settings += ["split.train=0.8", "split.validation=0.0", "precision=fp32"]
    done = train_run(tmp_path / "DATA", recipe="default", settings=settings, out=tmp_path / "run")
    assert done.card.model.pretrained == "steel"
    steel = read_steel("squeezenet_reduced")
    assert done.card.head_facts == steel.head  # the generator's classes: the head is kept too
    for name, tensor in _state(tmp_path / "run").items():
        assert torch.allclose(tensor, steel.state[name].to(tensor.dtype), atol=TOLERANCE), name
    assert "trained from weights learnt on generated sheets" in (tmp_path / "run" / "README.md").read_text()
    with pytest.raises(BadRecipe, match="squeezenet_reduced"):
        train_run(
            tmp_path / "DATA",
            recipe="default",
            settings=[*settings, "model.name=squeezenet"],
            out=tmp_path / "other",
        )


def test_the_start_is_found_again_for_steel_and_not_for_a_run(
    first: Path, folder: Folder, tmp_path: Path
) -> None:
    card = load_run(first).card
    model = card.model.model_copy(
        update={"name": "squeezenet_reduced", "pretrained": "steel", "outputs": 5, "height": 64, "width": 64}
    )
    steel = read_steel("squeezenet_reduced")
    same = card.model_copy(update={"model": model, "class_names": steel.head.class_names})
    assert untrained(same).pretrained == ("features", "head")
    others = same.model_copy(update={"class_names": ("none", "a", "b", "c", "d")})
    assert untrained(others).pretrained == ("features",)
    assert (
        "weights learnt on generated sheets in features" in untrained_control(others, "start", 0).description
    )
    train_run(folder("b", seed=5), recipe=fine_tuning_recipe(first, settings=STILL), out=tmp_path / "second")
    with pytest.raises(MissingWeights, match="started from the weights of another run"):
        untrained(load_run(tmp_path / "second").card)
