"""A study and a repair on a real Ray have the figures of those made on this machine."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.cluster.comparing import Lines, assert_same_runs, figures
from tests.shortcuts.repair.test_methods_run import planted
from tests.study.conftest import tiny_data, tiny_options

from steelsight.cluster.executor import RayExecutor
from steelsight.shortcuts.repair.options import RepairOptions
from steelsight.shortcuts.repair.run import repair_run
from steelsight.study.run import run_study
from steelsight.training.run import train_data

__all__ = ["planted", "tiny_data", "tiny_options"]


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


def test_a_study_trains_what_is_independent_at_the_same_time(ray_here, tiny_data, tiny_options, tmp_path):
    options = replace(tiny_options, models=("adhoc", "squeezenet_reduced"), controls="trained")
    here = run_study(tiny_data, tmp_path / "here", options)
    heard = Lines()

    def no_local_training(*_arguments, **_options):
        pytest.fail("a training was done in this process")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("steelsight.training.loop.fit._Trainer.advance", no_local_training)
        there = run_study(
            tiny_data, tmp_path / "there", options, watcher=heard, executor=RayExecutor(), train=train_data
        )
    assert_same_runs(tmp_path / "here", tmp_path / "there")
    assert heard.done[-2:] == [(1, 2), (2, 2)]  # the controls, which need the epochs of the chosen model
    ahead = heard.done[:-2]
    assert ahead == [(done, len(ahead)) for done in range(1, len(ahead) + 1)]
    assert len(ahead) == len(list((tmp_path / "here").rglob("model.safetensors"))) - 2
    for name, result in here.binary.results.items():
        assert figures(result.clean_report.as_dict()) == figures(
            there.binary.results[name].clean_report.as_dict()
        )
