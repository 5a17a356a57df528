"""Trainings on a real Ray have the figures of trainings one after the other, to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cluster.comparing import assert_same_runs, figures
from tests.training.conftest import folder, small

from steelsight.runs.label_curve import grow_labels
from steelsight.training.dataset import open_training_sheets
from steelsight.training.folds import draw_folds
from steelsight.training.options import FoldOptions
from steelsight.training.several import Training, train_each

pytest.importorskip("ray", reason="the extra [cluster] is not installed")

from steelsight.cluster.executor import RayExecutor

__all__ = ["folder", "small"]


@pytest.mark.long
def test_a_training_whose_worker_is_killed_continues_from_its_checkpoint(ray_here, folder, small, tmp_path):
    import ray_trainings

    data, recipe = folder(), small("task=multiclass")
    sheets = open_training_sheets(data, recipe)

    def trainings(out: Path) -> list[Training]:
        plan = draw_folds(sheets, recipe.split, FoldOptions(2), seed=0)
        return [
            Training(f"fold {fold.number}", sheets, fold.split, recipe, out / str(fold.number), seed=1)
            for fold in plan[:1]
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
    assert sorted(line.partition(":")[0] for line in said) == ["fold 0"]
    assert_same_runs(tmp_path / "here", tmp_path / "there")
    assert here[0].metrics["training"]["resumed_after"] == 0
    assert there[0].metrics["training"]["resumed_after"] == 1
    assert figures(here[0].metrics) == figures(there[0].metrics)


@pytest.mark.long
def test_a_label_curve_has_the_figures_of_one_made_here(ray_here, folder, small, tmp_path):
    data, recipe = folder(per_class=12), small("task=multiclass", "max_epochs=1")
    shares = (0.4, 0.7, 1.0)
    here = grow_labels(data, recipe=recipe, out=tmp_path / "here", shares=shares)
    there = grow_labels(data, recipe=recipe, out=tmp_path / "there", shares=shares, executor=RayExecutor())
    assert there.numbers == here.numbers
    assert_same_runs(tmp_path / "here", tmp_path / "there")
