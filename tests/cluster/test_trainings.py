"""Trainings on a real Ray have the figures of trainings one after the other, to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cluster.comparing import Lines, assert_same_runs, figures
from tests.training.conftest import folder, small

from steelsight.cluster.executor import RayExecutor
from steelsight.runs.label_curve import grow_labels
from steelsight.training.dataset import open_training_sheets
from steelsight.training.folds import cross_validate, draw_folds
from steelsight.training.options import FoldOptions
from steelsight.training.several import Training, train_each

__all__ = ["folder", "small"]


def test_a_cross_validation_has_the_figures_of_one_made_here(ray_here, folder, small, tmp_path):
    data, recipe, folds = folder(), small("task=multiclass"), FoldOptions(2, 2)
    here = cross_validate(data, recipe=recipe, out=tmp_path / "here", folds=folds, seed=3)
    heard = Lines()
    there = cross_validate(
        data,
        recipe=recipe,
        out=tmp_path / "there",
        folds=folds,
        seed=3,
        progress=heard,
        executor=RayExecutor(),
    )
    assert figures(there.metrics) == figures(here.metrics)
    assert_same_runs(tmp_path / "here", tmp_path / "there")
    assert (tmp_path / "here" / "predictions.parquet").read_bytes() == (
        tmp_path / "there" / "predictions.parquet"
    ).read_bytes()
    assert heard.done == [(done, 4) for done in range(1, 5)]
    for number in range(1, 5):
        own = [line for line in heard.lines if line.startswith(f"fold {number} of 4: ")]
        told = [line.partition(": ")[2] for line in own if "epoch" in line]
        assert "up to 2 epochs" in told[0]
        assert [line[:9] for line in told[1:]] == ["epoch   1", "epoch   2"]
    again = cross_validate(
        data, recipe=recipe, out=tmp_path / "there", folds=folds, seed=3, executor=RayExecutor()
    )
    assert again.metrics == there.metrics  # finished trainings are kept, on a cluster too


def test_a_training_whose_worker_is_killed_continues_from_its_checkpoint(ray_here, folder, small, tmp_path):
    import ray_trainings

    data, recipe = folder(), small("task=multiclass", "max_epochs=3")
    sheets = open_training_sheets(data, recipe)

    def trainings(out: Path) -> list[Training]:
        plan = draw_folds(sheets, recipe.split, FoldOptions(2), seed=0)
        return [
            Training(f"fold {fold.number}", sheets, fold.split, recipe, out / str(fold.number), seed=1)
            for fold in plan
        ]

    here = dict(train_each(trainings(tmp_path / "here"), reads=[data]))
    said: list[str] = []
    there = dict(
        train_each(
            trainings(tmp_path / "there"),
            reads=[data],
            executor=RayExecutor(said.append),
            train=ray_trainings.train_and_die,
        )
    )
    assert sorted(line.partition(":")[0] for line in said) == ["fold 0", "fold 1"]
    assert_same_runs(tmp_path / "here", tmp_path / "there")
    for index in range(2):
        assert here[index].metrics["training"]["resumed_after"] == 0
        assert there[index].metrics["training"]["resumed_after"] == 1
        assert figures(here[index].metrics) == figures(there[index].metrics)


@pytest.mark.long
def test_a_label_curve_has_the_figures_of_one_made_here(ray_here, folder, small, tmp_path):
    data, recipe = folder(per_class=12), small("task=multiclass", "max_epochs=1")
    shares = (0.4, 0.7, 1.0)
    here = grow_labels(data, recipe=recipe, out=tmp_path / "here", shares=shares)
    there = grow_labels(data, recipe=recipe, out=tmp_path / "there", shares=shares, executor=RayExecutor())
    assert there.numbers == here.numbers
    assert_same_runs(tmp_path / "here", tmp_path / "there")
