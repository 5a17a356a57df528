"""A study and a repair on a real Ray have the figures of those made on this machine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.cluster.comparing import Lines, assert_same_runs, figures
from tests.shortcuts.repair.test_methods_run import planted
from tests.study.conftest import tiny_data, tiny_options

from steelsight.shortcuts.repair.options import RepairOptions
from steelsight.shortcuts.repair.run import repair_run
from steelsight.study.data import multiclass_data, open_study_data
from steelsight.study.run import run_study
from steelsight.study.train import train_models
from steelsight.study.train_multiclass import train_slide_models, train_techniques
from steelsight.study.trainings import ClusterTrainer, independent_trainings
from steelsight.training.loop.progress import NoProgress
from steelsight.training.run import train_data

pytest.importorskip("ray", reason="the extra [cluster] is not installed")

from steelsight.cluster.executor import RayExecutor

__all__ = ["planted", "tiny_data", "tiny_options"]


@pytest.mark.long
def test_a_repair_has_the_figures_of_one_made_here(ray_here, planted, tmp_path):
    run, data = planted
    options = RepairOptions(epochs=1, limit=20, seed=3, methods=("paste", "last_layer", "dro", "reasons"))
    here = repair_run(run, data, "stain", options, out=tmp_path / "here")
    heard = Lines()
    there = repair_run(
        run, data, "stain", options, out=tmp_path / "there", watcher=heard, executor=RayExecutor()
    )
    assert_same_runs(tmp_path / "here", tmp_path / "there")
    shown = [figures(each.numbers) for each in (here, there)]
    for numbers in shown:
        for each in (numbers["before"], *numbers["after"]):
            each.pop("training_seconds")
    assert shown[0] == shown[1]
    assert [each["cure"] for each in shown[1]["after"]] == list(options.methods)
    assert "last_layer: head retrained, features frozen" in heard.lines


class _Noted(RayExecutor):
    """Keeps the names of the tasks of each piece of work."""

    def __init__(self):
        super().__init__()
        self.names: list[list[str]] = []

    def run(self, work, receive):
        self.names.append(list(work.names))
        return super().run(work, receive)


@pytest.mark.long
def test_the_studys_independent_trainings_are_done_at_the_same_time(
    ray_here, tiny_data, tiny_options, tmp_path
):
    study_data = open_study_data(tiny_data, replace(tiny_options, models=("squeezenet_reduced",)))
    executor = _Noted()
    trainer = ClusterTrainer(train_data, executor, [tiny_data], NoProgress())
    trainer.train_ahead(independent_trainings(study_data, tmp_path / "there"), fresh=False)

    def train(trainer, out):
        binary, _ = train_models(study_data, study_data.options, out, train=trainer)
        own = multiclass_data(study_data)
        slides, _ = train_slide_models(own, out, train=trainer, watcher=NoProgress())
        techniques, _ = train_techniques(own, slides, out, train=trainer, watcher=NoProgress())
        return binary | slides | techniques

    there, here = train(trainer, tmp_path / "there"), train(train_data, tmp_path / "here")
    [names] = executor.names  # nothing is left to be trained when the results are asked for
    assert len(names) == len(list((tmp_path / "here").rglob("model.safetensors"))) > 3
    assert "binary Reduced SqueezeNet" in names
    assert_same_runs(tmp_path / "here", tmp_path / "there")
    assert there.keys() == here.keys()
    for name, result in here.items():
        assert np.array_equal(result.clean_logits, there[name].clean_logits)
        assert result.noisy_report.as_dict() == there[name].noisy_report.as_dict()


class _Stopped(Exception):
    """Raised in place of the trainings."""


class _Refusing:
    concurrent = True

    def run(self, work, receive):
        raise _Stopped(*work.names)


def test_a_study_gives_its_trainings_to_a_concurrent_executor(tiny_data, tiny_options, tmp_path):
    options = replace(tiny_options, models=("squeezenet_reduced",), multiclass=False)
    with pytest.raises(_Stopped, match=r"^binary Reduced SqueezeNet$"):
        run_study(tiny_data, tmp_path, options, executor=_Refusing())
