"""Comparison of runs: on sheets unseen by all, paired, with what differs named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from steelsight.errors import BadCheckpoint, BadData, BadInput
from steelsight.runs.compare import METRICS, compare_folds, compare_runs
from steelsight.sheets.options import DataOptions
from steelsight.training.folds import cross_validate
from steelsight.training.options import FoldOptions
from steelsight.training.recipe import Recipe
from steelsight.training.records import read_splits
from steelsight.training.run import train_run

Folder = Callable[..., Path]
Small = Callable[..., Recipe]


def test_two_runs_on_sheets_unseen_by_both(folder: Folder, small: Small, tmp_path: Path) -> None:
    data = folder(per_class=20)
    recipe = small("task=multiclass", "max_epochs=1")
    for seed in (0, 1):
        train_run(data, recipe=recipe, out=tmp_path / f"run{seed}", seed=seed)
    found = compare_runs([tmp_path / "run0", tmp_path / "run1"], data, out=tmp_path / "out")
    unseen = [
        {row.id for row in read_splits(tmp_path / f"run{seed}") if row.split == "test"} for seed in (0, 1)
    ]
    numbers = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert numbers["sheets"] == len(unseen[0] & unseen[1])
    assert [each.name for each in found] == ["run0", "run1"]
    assert found[0].mcnemar is None
    second = found[1]
    assert second.mcnemar is not None
    for metric in METRICS:
        gap = second.metrics[metric].estimate - found[0].metrics[metric].estimate
        assert second.against_first[metric].difference.estimate == pytest.approx(gap)
    right = second.mcnemar.second_only - second.mcnemar.first_only
    gain = second.against_first["accuracy"].difference.estimate
    assert right == pytest.approx(gain * numbers["sheets"])
    assert "Against run0" in (tmp_path / "out" / "compare.html").read_text()


def test_a_run_against_itself_does_not_differ(folder: Folder, small: Small, tmp_path: Path) -> None:
    data = folder(classes=2, per_class=12)
    train_run(data, recipe=small("max_epochs=1"), out=tmp_path / "run")
    found = compare_runs([tmp_path / "run"] * 2, data, noise_sigma=0.15)
    assert found[1].against_first["accuracy"].difference.estimate == 0
    assert found[1].mcnemar is not None
    assert found[1].mcnemar.p_value == 1


def test_runs_that_cannot_be_compared_are_refused(folder: Folder, small: Small, tmp_path: Path) -> None:
    two, three = folder("TWO", classes=2, per_class=12), folder("THREE", per_class=12)
    train_run(two, recipe=small("max_epochs=1"), out=tmp_path / "binary")
    train_run(three, recipe=small("task=multiclass", "max_epochs=1"), out=tmp_path / "types")
    with pytest.raises(BadInput, match="expected at least two runs, got 1"):
        compare_runs([tmp_path / "binary"], two)
    with pytest.raises(BadInput, match="types: expected a binary run like the others, got multiclass"):
        compare_runs([tmp_path / "binary", tmp_path / "types"], two)
    unknown = folder("UNKNOWN", classes=2, per_class=3)
    (unknown / "bar").rename(unknown / "scratch")
    with pytest.raises(BadData, match=r"expected only classes of the run \(none, bar, block\), got scratch"):
        compare_runs([tmp_path / "types"] * 2, unknown)
    other = folder("OTHER", classes=2, per_class=3, seed=8)
    with pytest.raises(BadData, match="expected train sheets of binary, found none"):
        compare_runs([tmp_path / "binary"] * 2, other, part="train")


def test_cross_validations_by_their_out_of_fold_answers(folder: Folder, small: Small, tmp_path: Path) -> None:
    data = folder(per_class=8)
    settings = ("task=multiclass", "max_epochs=1")
    numbers = {}
    for name, rate in (("slow", 1e-4), ("fast", 3e-3)):
        recipe = small(*settings, f"learning_rate={rate}")
        done = cross_validate(
            data,
            recipe=recipe,
            out=tmp_path / name,
            folds=FoldOptions(2, 2),
            options=DataOptions("frames:10"),
        )
        numbers[name] = done.metrics["pooled"]
    found = compare_folds([tmp_path / "slow", tmp_path / "fast"], out=tmp_path / "out")
    for each in found:
        for metric in METRICS:
            assert each.metrics[metric].estimate == pytest.approx(numbers[each.name][metric]["estimate"])
    gap = numbers["fast"]["accuracy"]["estimate"] - numbers["slow"]["accuracy"]["estimate"]
    assert found[1].against_first["accuracy"].difference.estimate == pytest.approx(gap)
    assert found[1].mcnemar is not None
    counted = found[1].mcnemar
    assert counted.first_only + counted.second_only <= 24  # the sheets of one repeat
    assert json.loads((tmp_path / "out" / "compare.json").read_text())["sheets"] == 24
    itself = compare_folds([tmp_path / "fast", tmp_path / "fast"])
    assert itself[1].against_first["balanced_accuracy"].difference.estimate == 0


def test_cross_validations_that_do_not_belong_together(folder: Folder, small: Small, tmp_path: Path) -> None:
    recipe = small("task=multiclass", "max_epochs=1")
    one, other = folder("ONE"), folder("OTHER", per_class=6)
    for name, data in (("one", one), ("other", other)):
        cross_validate(data, recipe=recipe, out=tmp_path / name, folds=FoldOptions(2))
    with pytest.raises(BadInput, match=r"expected the sheets, groups and repeats of .*one, got others"):
        compare_folds([tmp_path / "one", tmp_path / "other"])
    with pytest.raises(BadInput, match="expected at least two cross-validations, got 1"):
        compare_folds([tmp_path / "one"])
    (tmp_path / "other" / "predictions.parquet").unlink()
    with pytest.raises(BadCheckpoint, match="expected a finished cross-validation"):
        compare_folds([tmp_path / "one", tmp_path / "other"])
