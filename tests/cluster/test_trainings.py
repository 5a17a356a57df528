"""Trainings on a real Ray have the figures of trainings one after the other, to the bit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cluster.comparing import Lines, assert_same_runs, figures
from tests.cluster.ray_here import ray_here
from tests.training.conftest import folder, small

__all__ = ["folder", "ray_here", "small"]
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.cluster.executor import RayExecutor
from steelsight.runs.label_curve import grow_labels
from steelsight.training.dataset import open_training_sheets
from steelsight.training.folds import cross_validate, draw_folds
from steelsight.training.options import FoldOptions
from steelsight.training.several import Training, train_each


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


def test_train_with_ray_on_the_command_line(ray_here, folder, tmp_path):
    data = folder(classes=2)
    settings = ["model.name=adhoc", "height=48", "width=64", "batch_size=4", "threads=1", "precision=fp32"]
    words = [word for value in settings for word in ("--set", value)]
    command = ["train", str(data), "--folds", "2", "--epochs", "1", "--json", *words]
    told = {}
    for name, ray in (("here", []), ("there", ["--ray", "local"])):
        result = CliRunner().invoke(app, [*command, "--out", str(tmp_path / name), *ray])
        assert result.exit_code == 0, result.output
        told[name] = json.loads(result.stdout.splitlines()[-1])
    assert figures(told["here"]) | {"out": ""} == figures(told["there"]) | {"out": ""}
    assert_same_runs(tmp_path / "here", tmp_path / "there")


def test_one_training_is_not_for_a_cluster(folder, tmp_path):
    command = ["train", str(folder(classes=2)), "--out", str(tmp_path / "out"), "--ray", "local"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "--ray: expected --folds or --all" in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()


def test_a_label_curve_has_the_figures_of_one_made_here(ray_here, folder, small, tmp_path):
    data, recipe = folder(per_class=12), small("task=multiclass", "max_epochs=1")
    shares = (0.4, 0.7, 1.0)
    here = grow_labels(data, recipe=recipe, out=tmp_path / "here", shares=shares)
    there = grow_labels(data, recipe=recipe, out=tmp_path / "there", shares=shares, executor=RayExecutor())
    assert there.numbers == here.numbers
    assert_same_runs(tmp_path / "here", tmp_path / "there")


HIDE = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name in sys.argv[-1].split(","):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hidden())
from steelsight.cli import app
app(sys.argv[1:-1])
"""


@pytest.mark.parametrize(("hidden", "ray"), [("ray,steelsight.cluster", []), ("ray", ["--ray", "local"])])
def test_nothing_of_ray_is_imported_without_the_option(hidden, ray, folder, tmp_path):
    command = ["train", folder(classes=2), "--out", tmp_path / "out", "--folds", "2", "--epochs", "1"]
    settings = ["--set", "model.name=adhoc", "--set", "height=48", "--set", "width=64"]
    told = subprocess.run(
        [sys.executable, "-c", HIDE, *map(str, [*command, *settings, *ray, hidden])],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert told.returncode == (2 if ray else 0), told.stderr
    assert ("pip install 'steelsight[cluster]'" in " ".join(told.stderr.split())) == bool(ray)
