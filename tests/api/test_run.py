"""What a run answers: each call is that of the room below, as a result with table, HTML and figures."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
from tests.api.result_checks import check_result

import steelsight as ss
from steelsight.counterfactuals.pasting import counterfactual, removal
from steelsight.errors import BadCheckpoint, BadData, BadInput, BadRecipe
from steelsight.runs.evaluate import evaluate_run
from steelsight.shortcuts.repair import evaluate as repair_evaluation

QUICK = ["checks.sheets=1", "checks.steps=3", "checks.draws=1", "report.resamples=20", "report.repeats=1"]


def test_a_run_shows_its_training(trained, data):
    check_result(trained)
    assert trained.class_names == ss.open_data(data).class_names
    assert set(trained.figures()) == {"learning_curves", "confusion"}
    assert trained.card.task == "multiclass"
    assert trained.model(torch.zeros(1, 3, 32, 200)).shape == (1, 5)
    assert trained.as_dict()["run"] == str(trained.folder)
    assert ss.open_run(trained.folder) == trained


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(BadCheckpoint, match="expected a RUN folder, found none"):
        ss.open_run(tmp_path / "none")


def test_evaluation_is_that_of_the_room_below(trained, data, tmp_path):
    done = trained.evaluate(data, split="test", noise=0.15, out=tmp_path / "out")
    below = evaluate_run(trained.folder, data, part="test", noise_sigma=0.15, out=tmp_path / "below")
    assert done.metrics["report"] == below.metrics["report"]
    check_result(done)
    assert done.confusion.sum() == done.metrics["report"]["sheets"] == trained.metrics["test"]["sheets"]
    assert {"confusion", "precision_recall"} <= set(done.figures())
    assert len(pd.read_parquet(done.predictions)) == 60
    assert done.report.is_file()
    frame = done.to_pandas()
    assert frame.columns.tolist() == ["metric", "value", "value low", "value high", "sheets"]
    assert frame["value"][0] == done.metrics["report"]["accuracy"]["estimate"]


def test_evaluation_of_all_sheets_of_the_training_is_refused(trained, data, tmp_path):
    with pytest.raises(BadData, match="36 of 60 sheets trained run"):
        trained.evaluate(data, split="all", out=tmp_path)


def test_calibration_changes_the_card(run, data):
    done = run.calibrate(data, split="test", risk=0.3)
    check_result(done)
    assert done.temperature == run.card.temperature
    assert done.threshold == run.card.threshold
    assert done.statement in done._repr_html_().replace("&#34;", '"')
    assert done.page.is_file()
    assert done.keeps_earlier is False
    assert done.temperature_statement.startswith("temperature ")


def test_comparison_with_itself_finds_no_difference(trained, run, data, tmp_path):
    done = ss.compare(trained, run.folder, data=data, split="test", out=tmp_path / "out")
    check_result(done)
    accuracy = done.runs[1].against_first["accuracy"].difference
    assert (accuracy.estimate, done.runs[1].mcnemar.p_value) == (0, 1)
    assert (tmp_path / "out" / "compare.html").is_file()
    assert len(done.table().rows) == 2 * len(done.metric_titles)


def test_comparison_needs_two_runs_and_data(trained, data):
    with pytest.raises(BadInput, match="expected at least two runs, got 1"):
        ss.compare(trained, data=data)
    with pytest.raises(BadInput, match="--data: expected the DATA folder"):
        ss.compare(trained, trained)


def test_explained_files(trained, data, tmp_path):
    images = sorted((data / "train_images").iterdir())[:2]
    seen = []
    done = trained.explain(
        images, data=data, target=["none"], out=tmp_path, progress=lambda event: seen.append(event.done)
    )
    check_result(done)
    assert seen == [2]
    assert all(path.is_file() for path in done.figure_files)
    assert [row["truth"] is not None for row in done.report["sheets"]] == [True, True]
    with pytest.raises(BadRecipe, match="target: expected one of"):
        trained.explain(images[0], target="rust", out=tmp_path)


def test_wrong_verdicts(trained, data, tmp_path):
    done = trained.mistakes(data, split="test", most=1, out=tmp_path)
    check_result(done)
    assert done.page.is_file()
    assert len(done.table().rows) == len(done.report["mistakes"])


def test_a_league_of_two_methods(trained, data, tmp_path):
    steps = []
    done = trained.league(
        data,
        methods=["gradcam", "contrast"],
        setting=QUICK,
        limit=4,
        out=tmp_path,
        progress=lambda event: steps.append(event.kind),
    )
    check_result(done)
    assert {row[0] for row in done.table().rows} == {"gradcam", "contrast"}
    assert {"stage", "note"} <= set(steps)
    standing = done.as_dict()["methods"]["gradcam"]
    assert standing["the_study"]["dice"] > 0  # published; the verb shows it too
    assert set(done.figures()) == {"dice"}
    assert done.page.is_file()


def test_a_search_for_shortcuts(trained, data, tmp_path):
    done = trained.shortcuts(data, split="train", limit=20, segments="strips", out=tmp_path)
    check_result(done)
    assert done.page.is_file()
    assert set(done.findings) <= {each["key"] for each in done.as_dict()["candidates"]}


def test_the_proof_of_a_shortcut(trained, data, tmp_path):
    done = trained.prove(data, "stain", split="train", limit=3, out=tmp_path)
    check_result(done)
    assert done.title == f"{done.report.proof.nuisance} → {done.report.proof.suspected_class}: {done.verdict}"
    assert done.page.is_file()


def test_a_gate_decides_every_clause(trained, data, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text('[[shortcut]]\nnuisance = "stain"\nmost_excess = 0.02\ninconclusive = "fail"\n')
    done = trained.gate(data, policy, split="train", limit=3, out=tmp_path / "out")
    check_result(done)
    assert [done.passed] == [row[2] for row in done.table().rows]
    assert (done.title == "the run may be released") is done.passed


def test_a_repair_by_one_method(trained, data, tmp_path, monkeypatch):
    for module in (counterfactual, removal, repair_evaluation):
        monkeypatch.setattr(module, "RESAMPLES", 50)
    events = []
    done = trained.repair(
        data,
        "stain",
        methods="paste",
        epochs=1,
        limit=5,
        out=tmp_path / "out",
        progress=lambda event: events.append(event.kind),
    )
    check_result(done)
    assert done.page == tmp_path / "out" / "repair.html"
    assert done.page.is_file()
    assert [row[0] for row in done.table().rows] == ["before", "paste"]
    numbers = done.as_dict()
    assert (numbers["nuisance"], numbers["suspect"]) == ("stain", "none")
    assert numbers["out"] == str(tmp_path / "out")
    verdicts = [each["proof"]["verdict"] for each in (numbers["before"], *numbers["after"])]
    assert done.to_pandas()["verdict"].tolist() == verdicts
    chosen = numbers["chosen_run"]
    assert done.best == (None if chosen is None else tmp_path / "out" / chosen)
    assert not done.repaired  # five sheets are too few for a proof
    assert ss.open_run(tmp_path / "out" / "paste").card.repair["cure"] == "paste"
    assert {"start", "epoch", "note"} <= set(events)


def test_a_repair_by_a_method_that_does_not_exist(trained, data, tmp_path):
    with pytest.raises(BadInput, match=r"expected some of paste, balance, .*, got 'past'"):
        trained.repair(data, "stain", methods="past", out=tmp_path / "out")
    with pytest.raises(BadRecipe, match="--epochs: expected at least 1, got 0"):
        trained.repair(data, "stain", epochs=0, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_confidence_scores(trained, data, tmp_path):
    done = trained.confidence(data, out=tmp_path)
    check_result(done)
    assert done.page.is_file()
    assert set(done.certificates) <= {row[0] for row in done.table().rows}


def test_robustness(trained, data, tmp_path):
    seen = []
    done = trained.robustness(
        data,
        split="test",
        limit=6,
        out=tmp_path,
        progress=lambda event: seen.append((event.done, event.total)),
    )
    check_result(done)
    assert seen[-1] == (len(done.lines), len(done.lines))
    assert done.page.is_file()


def test_what_layers_separate(trained, data, tmp_path):
    done = trained.layers(data, layers="features.0", controls="random", tsne=0, resamples=20, out=tmp_path)
    check_result(done)
    assert {row[1] for row in done.table().rows} == set(done.report.found.nets)
    assert done.page.is_file()


def test_neurons(trained, data, tmp_path):
    done = trained.neurons(data, layer="features.0", count=1, form="plain", steps=2, out=tmp_path)
    check_result(done)
    assert done.table().rows[0][3] == 1
    assert done.page.is_file()


def test_weights_of_itself_change_nothing(trained, data, tmp_path):
    done = trained.transplant(trained, data, split="test", controls=[], resamples=20, out=tmp_path)
    check_result(done)
    assert done.page.is_file()


def test_an_exported_bundle(exported):
    check_result(exported)
    assert exported.load().bundle.card.model_id == exported.model_id
    assert exported.as_dict()["card"]["precision"] == "f32"
    assert exported.table().rows[0][-1] == "passed"


def test_an_open_data_folder_shows_its_classes(data, tmp_path):
    opened = ss.open_data(data)
    check_result(opened)
    assert sum(opened.counts.values()) == len(opened.to_pandas()) == 60
    assert (opened.layout, opened.rejections) == ("severstal", ())
    with pytest.raises(BadData, match="expected a DATA folder"):
        ss.open_data(tmp_path / "none")


def test_what_data_says_of_itself_is_used_by_every_call(trained, data, tmp_path):
    grouped = ss.open_data(data, groups="frames:1")
    done = trained.evaluate(grouped, split="test", out=tmp_path)
    assert done.metrics["data"]["groups"].startswith("frames:1")
    assert Path(done.folder) == tmp_path
