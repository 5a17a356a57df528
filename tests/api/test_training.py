"""Trainings by the API are those of the rooms below; they tell their progress, stop, and go on."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file
from tests.api.result_checks import check_result

import steelsight as ss
from steelsight.errors import BadCheckpoint, BadInput, BadRecipe
from steelsight.training.options import FoldOptions, TrainOptions
from steelsight.training.recipe_files import load_recipe
from steelsight.training.run import train_run

SMALL = {
    "model__name": "adhoc",
    "height": 48,
    "width": 64,
    "batch_size": 4,
    "max_epochs": 3,
    "threads": 1,
    "split__method": "stratified",
}


@pytest.fixture(scope="module")
def little(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four sheets of noise in two classes."""
    root = tmp_path_factory.mktemp("little") / "DATA"
    rng = np.random.default_rng(0)
    for number in range(24):
        path = root / ("crack" if number % 2 else "good") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (48, 64), dtype=np.uint8)).save(path)
    return root


@pytest.fixture(scope="module")
def whole(little, tmp_path_factory) -> ss.Run:
    """A training that was not interrupted."""
    return ss.train(little, out=tmp_path_factory.mktemp("whole") / "run", **SMALL)


def _weights(run: ss.Run) -> dict[str, np.ndarray]:
    return load_file(run.folder / "model.safetensors")


def _equal(first: ss.Run, second: ss.Run) -> bool:
    pairs = zip(_weights(first).items(), _weights(second).items(), strict=True)
    return all(a == b and np.array_equal(x, y) for (a, x), (b, y) in pairs)


def test_it_is_the_training_of_the_rooms_below(little, whole, tmp_path):
    recipe = load_recipe("default", [f"{key.replace('__', '.')}={value}" for key, value in SMALL.items()])
    direct = train_run(little, recipe=recipe, out=tmp_path / "direct")
    assert whole.metrics["fingerprint"] == direct.metrics["fingerprint"]
    assert whole.metrics["test"] == direct.metrics["test"]
    assert _equal(whole, ss.Run(tmp_path / "direct"))


def test_progress_is_told_to_a_function(little, whole, tmp_path):
    events: list[ss.ProgressEvent] = []
    run = ss.train(little, out=tmp_path / "run", progress=events.append, **SMALL)
    kinds = Counter(event.kind for event in events)
    assert (kinds["start"], kinds["epoch"]) == (1, 3)
    assert [event.done for event in events if event.kind == "epoch"] == [1, 2, 3]
    start = next(event for event in events if event.kind == "start")
    assert (start.total, start.message.startswith("adhoc on DATA (binary")) == (3, True)
    steps = [event for event in events if event.kind == "step"]
    assert all(0 < event.done <= event.total for event in steps)
    last = [event.values for event in events if event.kind == "epoch"][-1]
    assert last["train_loss"] == run.metrics["training"]["history"][-1]["train_loss"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_training_goes_on_and_gives_the_same(error, little, whole, tmp_path):
    def stop(event: ss.ProgressEvent) -> None:
        if event.kind == "epoch" and event.done == 2:
            raise error

    out = tmp_path / "run"
    with pytest.raises(error):
        ss.train(little, out=out, progress=stop, **SMALL)
    assert (out / "progress.safetensors").is_file()
    with pytest.raises(BadCheckpoint):
        ss.open_run(out)
    epochs: list[int] = []
    run = ss.train(
        little, out=out, progress=lambda e: epochs.append(e.done) if e.kind == "epoch" else None, **SMALL
    )
    assert epochs == [3]
    assert _equal(run, whole)
    assert run.metrics["test"] == whole.metrics["test"]


def test_a_finished_training_is_returned_and_another_refused(little, whole):
    before = (whole.folder / "model.safetensors").stat().st_mtime_ns
    again = ss.train(little, out=whole.folder, **SMALL)
    assert (again.folder / "model.safetensors").stat().st_mtime_ns == before
    with pytest.raises(BadCheckpoint, match="another recipe, seed, split"):
        ss.train(little, out=whole.folder, seed=1, **SMALL)


def test_train_options_of_the_command_line_say_all(little, whole):
    options = TrainOptions(setting=tuple(f"{key.replace('__', '.')}={value}" for key, value in SMALL.items()))
    assert ss.train(little, options, out=whole.folder).metrics == whole.metrics
    with pytest.raises(BadRecipe, match="max_epochs: expected inside TrainOptions, got both"):
        ss.train(little, options, out=whole.folder, max_epochs=1)


def test_a_recipe_object_takes_settings(little, whole):
    recipe = load_recipe()
    assert ss.train(little, recipe, out=whole.folder, **SMALL).metrics == whole.metrics


def test_a_training_starts_from_a_run(little, whole, tmp_path):
    run = ss.train(
        little,
        out=tmp_path / "next",
        start=whole,
        max_epochs=1,
        model__name="adhoc",
        split__method="stratified",
    )
    assert run.metrics["started_from"][0]["run"] == "run"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_epoch": 1}, "unknown key max_epoch; did you mean stop.max_epochs"),
        ({"max_epochs": None}, "max_epochs: expected a number, text, truth value or list, got None"),
        ({"max_epochs": object()}, "max_epochs: expected a number, text, truth value or list"),
        ({"max_epochs": float("nan")}, "max_epochs: expected a number, text, truth value or list, got nan"),
        ({"recipe": 3}, "recipe: expected a name, a TOML file, a Recipe or TrainOptions, got int"),
    ],
)
def test_bad_settings_are_refused(settings, message, little, tmp_path):
    with pytest.raises(BadRecipe, match=message):
        ss.train(little, out=tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()


def test_progress_is_a_function_or_a_truth_value(little, tmp_path):
    with pytest.raises(BadInput, match="progress: expected None, True or a function"):
        ss.train(little, out=tmp_path / "run", progress="loud", **SMALL)


def test_a_bar_writes_lines_where_there_is_no_terminal(little, tmp_path, capsys):
    ss.train(little, out=tmp_path / "run", progress=True, **{**SMALL, "max_epochs": 1})
    assert "epoch   1 *" in capsys.readouterr().err


def test_cross_validation(little, tmp_path):
    done = ss.cross_validate(
        little, out=tmp_path / "folds", folds=FoldOptions(2), **{**SMALL, "max_epochs": 1}
    )
    assert done.title == "2 folds, 1 times"
    assert dict(zip(done.table().titles, done.table().rows[0], strict=True))["sheets"] == 24
    assert done.as_dict()["out"] == str(tmp_path / "folds")
    assert len(list((tmp_path / "folds").glob("fold-*"))) == 2


def test_training_on_one_folder_and_testing_on_another(little, tmp_path):
    rng = np.random.default_rng(1)
    for number in range(12):
        path = tmp_path / "OTHER" / ("crack" if number % 2 else "good") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (48, 64), dtype=np.uint8)).save(path)
    run, tested = ss.train_and_test(
        little, tmp_path / "OTHER", out=tmp_path / "run", **{**SMALL, "max_epochs": 1}
    )
    assert tested.metrics["report"]["sheets"] == 12
    assert run.metrics["test"] is None


def test_training_on_every_sheet(little, tmp_path):
    run, validated = ss.train_on_all(little, out=tmp_path / "all", folds=2, **{**SMALL, "max_epochs": 1})
    assert run.metrics["data"]["parts"]["train"] == 24
    assert validated.folder == tmp_path / "all" / "folds"
    assert validated.metrics["pooled"]["sheets"] == 24


def test_a_label_curve(little, tmp_path):
    notes = []
    done = ss.label_curve(
        little,
        out=tmp_path / "curve",
        shares=(0.4, 0.7, 1.0),
        progress=lambda event: notes.append(event.message) if event.kind == "note" else None,
        **{**SMALL, "max_epochs": 1},
    )
    check_result(done)
    assert (done.folder, done.page) == (tmp_path / "curve", tmp_path / "curve" / "curve.html")
    assert done.page.is_file()
    assert done.as_dict() == json.loads((tmp_path / "curve" / "curve.json").read_text())
    frame = done.to_pandas()
    assert frame["share"].tolist() == [0.4, 0.7, 1.0]
    assert frame["balanced accuracy"][2] == done.numbers["rows"][2]["balanced_accuracy"]["estimate"]
    for share, sheets in zip((400, 700, 1000), frame["sheets"], strict=True):
        run = ss.open_run(done.folder / f"share-{share:04d}")
        assert run.metrics["data"]["parts"]["train"] == sheets
    assert done.title == " ".join(done.lines)
    assert "the gain from twice as many labels" in done.lines[0]
    for name in ("share 0.4", "share 0.7", "share 1"):
        assert any(name in note for note in notes)


def test_a_label_curve_needs_three_shares(little, tmp_path):
    with pytest.raises(BadInput, match="expected at least three different shares"):
        ss.label_curve(little, out=tmp_path / "curve", shares=(0.5, 1.0), **SMALL)
    assert not (tmp_path / "curve").exists()
