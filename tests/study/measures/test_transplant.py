"""The study's transplant: from the binary half into the other, on sheets both were tested on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from steelsight.models.checkpoint import load_checkpoint, save_checkpoint
from steelsight.runs.transplant.run import TransplantResult
from steelsight.study.data import open_study_data, multiclass_data
from steelsight.study.measures.transplant import transplant_binary_model
from steelsight.training.loop.progress import NoProgress


def test_the_tiny_study_has_its_transplant(tiny_report) -> None:
    done = tiny_report.multiclass.transplant
    assert isinstance(done, TransplantResult)
    assert [each.name for each in done.donors] == ["binary model", "its start, not trained", "random weights"]
    assert done.found.sheets == tiny_report.multiclass.study.split.test.size
    assert all(change.one_start for change in done.changes[:-1]), "both halves drew with one seed"
    told = tiny_report.as_dict()["multiclass"]["transplant"]
    assert told["as_it_is"]["accuracy"]["estimate"] == pytest.approx(
        tiny_report.multiclass.study.chosen.clean_report.accuracy.estimate
    )


def test_trained_controls_are_asked_for_as_they_must_be(
    tiny_report, tiny_data, tiny_options, tmp_path
) -> None:
    options = replace(tiny_options, controls="trained")
    study_data = multiclass_data(open_study_data(tiny_data, options))
    found = tiny_report.multiclass.study
    chosen = study.chosen
    asked = {}

    def train(_data, _split, recipe, folder, *, seed, **_):
        asked[folder.name] = (recipe, seed)
        model, card = load_checkpoint(chosen.folder)
        shuffled = recipe.labels.shuffle_seed > 0
        changed = card.model_copy(update={"seed": seed, "shuffled_labels": shuffled})
        save_checkpoint(folder, model, changed)

    done = transplant_binary_model(
        study_data, study, tiny_report.binary, tmp_path, train=train, watcher=NoProgress()
    )
    assert [each.kind for each in done.donors] == ["donor", "start", "random", "seed", "shuffled"]
    assert [seed for _, seed in asked.values()] == [1, 0]
    assert asked["shuffled"][0].labels.shuffle_seed == 1
    assert asked["shuffled"][0].stop.max_epochs == chosen.training["epochs"]
    assert asked["seed"][0].labels.shuffle_seed == 0
    assert all(step.changed == 0 for step in done.found.curve("another seed", "input")), "a copy, here"


def test_no_binary_twin(tiny_report, tiny_data, tiny_options, tmp_path) -> None:
    study_data = multiclass_data(open_study_data(tiny_data, tiny_options))
    alone = replace(tiny_report.binary, results={})
    done = transplant_binary_model(
        study_data, tiny_report.multiclass.study, alone, tmp_path, train=lambda: None, watcher=NoProgress()
    )
    assert done == "no binary model of Aug. Red. Squeeze's network was trained"
