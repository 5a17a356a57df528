"""Confidence judged out of fold: what is fitted for a fold never comes from it; figures are those shown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelsight.errors import BadData, BadInput
from steelsight.evaluation.abstention.calibration import fit_temperature
from steelsight.evaluation.abstention.scores import fit_feature_space
from steelsight.runs.abstention.confidence import SCORE_TITLES, soften
from steelsight.runs.abstention.confidence_scores import FoldOutputs, compare_confidence_scores, cross_fit
from steelsight.runs.opening.validation import split_with_validation
from steelsight.sheets.options import DataOptions
from steelsight.training.folds import cross_validate
from steelsight.training.options import FoldOptions
from steelsight.training.predict import ModelOutputs
from steelsight.training.recipe import Recipe, SplitRecipe
from steelsight.training.records import read_splits
from steelsight.training.run import train_run

Folder = Callable[..., Path]
Small = Callable[..., Recipe]
Once = Callable[..., Any]


def _fold(rng: np.random.Generator, repeat: int, sheets: int = 40) -> FoldOutputs:
    labels = rng.integers(0, 3, sheets)
    logits = (3 * np.eye(3)[labels] + rng.normal(0, 1.5, (sheets, 3))).astype(np.float32)
    views = np.stack([logits + rng.normal(0, 0.3, (sheets, 3)) for _ in range(4)]).astype(np.float32)
    features = rng.normal(0, 1, (sheets, 5)).astype(np.float32)
    space = fit_feature_space(rng.normal(0, 1, (30, 5)), np.arange(30) % 3)
    return FoldOutputs(repeat, ModelOutputs(views[0], features, views), labels, space)


def test_a_fold_is_scored_with_fits_on_the_other_folds(rng: np.random.Generator) -> None:
    folds = [_fold(rng, 0), _fold(rng, 0), _fold(rng, 0)]
    columns, right = cross_fit(folds)
    others = np.concatenate([folds[1].outputs.logits, folds[2].outputs.logits])
    temperature = fit_temperature(others, np.concatenate([folds[1].labels, folds[2].labels]))
    largest = soften(folds[0].outputs.logits, temperature).max(1)
    assert columns["max_probability"][:40] == pytest.approx(largest)
    assert right[:40].tolist() == (folds[0].outputs.logits.argmax(1) == folds[0].labels).tolist()
    # A fold's own labels must not move its own scores.
    spoilt = [replace(folds[0], labels=np.zeros(40, dtype=np.int64)), *folds[1:]]
    again, _ = cross_fit(spoilt)
    for name, score in columns.items():
        assert (again[name][:40] == score[:40]).all()
    assert (again["trust"][40:] != columns["trust"][40:]).any()


def test_repeats_are_fitted_separately(rng: np.random.Generator) -> None:
    first, second = [_fold(rng, 0), _fold(rng, 0)], [_fold(rng, 1), _fold(rng, 1)]
    both, _ = cross_fit([*first, *second])
    alone, _ = cross_fit(first)
    assert all((both[name][:80] == score).all() for name, score in alone.items())
    with pytest.raises(BadInput, match="expected at least two folds of repeat 1, got one"):
        cross_fit([*first, second[0]])


def test_a_cross_validation_and_a_run(folder: Folder, small: Small, train_once: Once, tmp_path: Path) -> None:
    data, recipe = folder(per_class=8), small("task=multiclass", "max_epochs=1")
    train_once(
        cross_validate,
        data,
        recipe=recipe,
        out=tmp_path / "cv",
        folds=FoldOptions(2),
        options=DataOptions("frames:10"),
    )
    judged = compare_confidence_scores(tmp_path / "cv", data, resamples=20)
    numbers = json.loads((tmp_path / "cv" / "metrics.json").read_text())
    assert judged.right.mean() == pytest.approx(numbers["pooled"]["accuracy"]["estimate"])
    assert {row.name for row in judged.scores} == set(SCORE_TITLES)
    written = json.loads((tmp_path / "cv" / "confidence.json").read_text())
    assert written["answers"] == 24
    assert "more groups of sheets are needed" in written["certificates"]["trust"][0]["statement"]
    assert (tmp_path / "cv" / "confidence.html").is_file()
    train_once(train_run, data, recipe=recipe, out=tmp_path / "run")
    single = compare_confidence_scores(tmp_path / "run", data, resamples=20, out=tmp_path / "page")
    run = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert single.right.mean() == pytest.approx(run["test"]["accuracy"]["estimate"])
    assert (tmp_path / "page" / "confidence.json").is_file()


def test_evaluation_on_another_folder(folder: Folder, small: Small, train_once: Once, tmp_path: Path) -> None:
    data, other = folder(per_class=8), folder("OTHER", seed=5)
    train_once(train_run, data, recipe=small("task=multiclass", "max_epochs=1"), out=tmp_path / "run")
    judged = compare_confidence_scores(tmp_path / "run", data, on=other, resamples=20)
    assert (judged.right.size, judged.data) == (24, "OTHER")
    seen = compare_confidence_scores(tmp_path / "run", data, on=data, part="test", resamples=20)
    assert seen.right.size == sum(row.split == "test" for row in read_splits(tmp_path / "run"))
    train_once(
        cross_validate,
        data,
        recipe=small("task=multiclass", "max_epochs=1"),
        out=tmp_path / "cv",
        folds=FoldOptions(2),
    )
    with pytest.raises(BadInput, match="a cross-validation is evaluated on its own sheets"):
        compare_confidence_scores(tmp_path / "cv", data, on=other)


def test_a_run_without_validation_sheets_is_told_how_to_train_again(
    folder: Folder, small: Small, train_once: Once, tmp_path: Path
) -> None:
    data, settings = folder(per_class=12), ("task=multiclass", "max_epochs=1")
    without = small(*settings, "split.train=0.8", "split.validation=0", "split.test=0.2")
    train_once(train_run, data, recipe=without, out=tmp_path / "run")
    with pytest.raises(BadData, match="expected a run with validation sheets to fit the temperature") as told:
        compare_confidence_scores(tmp_path / "run", tmp_path / "no folder")  # refused before DATA is opened
    remedy = re.findall(r"--set (\S+)", str(told.value).split("`")[1])
    assert remedy == ["split.train=0.7", "split.validation=0.1"]
    again = small(*settings, "split.test=0.2", *remedy)
    train_once(train_run, data, recipe=again, out=tmp_path / "again")
    assert compare_confidence_scores(tmp_path / "again", data, resamples=20).right.size


@given(st.floats(0.05, 0.95), st.floats(0, 1))
def test_the_split_that_is_advised_is_one(learning: float, of_it: float) -> None:
    """Shares of any run without validation sheets: too few sheets for its share, or none at all."""
    learning = round(learning, 3)
    validation = round(learning * of_it * 0.9, 3)
    old = SplitRecipe(
        method="groups",
        train=round(learning - validation, 3),
        validation=validation,
        test=round(1 - learning, 3),
    )
    shares = dict(each.split("=") for each in split_with_validation(old).split() if "=" in each)
    train, more = float(shares["split.train"]), float(shares["split.validation"])
    SplitRecipe(method="groups", train=train, validation=more, test=old.test)
    assert more > old.validation or more >= old.train / 2 - 1e-3


def test_other_sheets_are_refused(folder: Folder, small: Small, train_once: Once, tmp_path: Path) -> None:
    data, other = folder(), folder("OTHER", seed=5)
    recipe = small("task=multiclass", "max_epochs=1")
    train_once(cross_validate, data, recipe=recipe, out=tmp_path / "cv", folds=FoldOptions(2))
    with pytest.raises(BadData, match=r"is unknown to .*fold-0-0; give the folder"):
        compare_confidence_scores(tmp_path / "cv", other)
    with pytest.raises(BadInput, match="--split: expected test or unseen, got 'train'"):
        compare_confidence_scores(tmp_path / "cv" / "fold-0-0", data, part="train")
    with pytest.raises(BadData, match=r"expected training, validation and unseen sheets .* got 0, 0 and"):
        compare_confidence_scores(tmp_path / "cv" / "fold-0-0", other, part="unseen")
