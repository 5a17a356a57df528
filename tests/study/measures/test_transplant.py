"""The study's transplant: from the binary model into the multi-class one, on their common test sheets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from steelsight.models.checkpoint import load_checkpoint, save_checkpoint
from steelsight.runs.transplant.run import TransplantResult
from steelsight.study.data import multiclass_data, open_study_data
from steelsight.study.measures.transplant import transplant_binary_model
from steelsight.training.loop.progress import NoProgress


def test_the_study_reports_the_transplant(tiny_report) -> None:
    transplant = tiny_report.multiclass.transplant
    assert isinstance(transplant, TransplantResult)
    assert [donor.name for donor in transplant.donors] == [
        "binary model",
        "its start, not trained",
        "random weights",
    ]
    assert transplant.found.sheets == tiny_report.multiclass.study.split.test.size
    assert all(change.one_start for change in transplant.changes[:-1]), "both models started from one seed"
    figures = tiny_report.as_dict()["multiclass"]["transplant"]
    assert figures["as_it_is"]["accuracy"]["estimate"] == pytest.approx(
        tiny_report.multiclass.study.chosen.clean_report.accuracy.estimate
    )


def test_trained_controls_get_the_right_recipes_and_seeds(
    tiny_report, tiny_data, tiny_options, tmp_path
) -> None:
    options = replace(tiny_options, controls="trained")
    study_data = multiclass_data(open_study_data(tiny_data, options))
    study = tiny_report.multiclass.study
    chosen = study.chosen
    requested = {}

    def train(_data, _split, recipe, folder, *, seed, **_):
        requested[folder.name] = (recipe, seed)
        model, card = load_checkpoint(chosen.folder)
        shuffled = recipe.labels.shuffle_seed > 0
        changed = card.model_copy(update={"seed": seed, "shuffled_labels": shuffled})
        save_checkpoint(folder, model, changed)

    transplant = transplant_binary_model(
        study_data, study, tiny_report.binary, tmp_path, train=train, watcher=NoProgress()
    )
    assert [donor.kind for donor in transplant.donors] == ["donor", "start", "random", "seed", "shuffled"]
    assert [seed for _, seed in requested.values()] == [1, 0]
    assert requested["shuffled"][0].labels.shuffle_seed == 1
    assert requested["shuffled"][0].stop.max_epochs == chosen.training["epochs"]
    assert requested["seed"][0].labels.shuffle_seed == 0
    steps = transplant.found.curve("another seed", "input")
    assert all(step.changed == 0 for step in steps), "the stand-in for training copies the model"


def test_no_transplant_without_a_binary_model_of_the_same_network(
    tiny_report, tiny_data, tiny_options, tmp_path
) -> None:
    study_data = multiclass_data(open_study_data(tiny_data, tiny_options))
    alone = replace(tiny_report.binary, results={})
    transplant = transplant_binary_model(
        study_data, tiny_report.multiclass.study, alone, tmp_path, train=lambda: None, watcher=NoProgress()
    )
    assert transplant == "no binary model of Aug. Red. Squeeze's network was trained"
