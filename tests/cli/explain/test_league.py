"""`league` and `explain --errors` from the command line: a run, a cross-validation, bad input."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import typer
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from steelsight.cli import app as whole_app
from steelsight.cli.explain.explain import explain
from steelsight.cli.explain.league import league
from steelsight.explanations.benchmark.results import evaluate_method
from steelsight.models.checkpoint import load_checkpoint, save_checkpoint
from steelsight.runs.benchmark_data import open_benchmark
from steelsight.runs.mistakes import collect_mistakes, draw_mistakes
from steelsight.runs.opening.open import open_run
from steelsight.training.folds import cross_validate
from steelsight.training.options import FoldOptions
from steelsight.training.recipe_files import load_recipe
from steelsight.training.records import read_splits
from steelsight.training.run import train_run

RECIPE = (
    "model.name=adhoc",
    "height=48",
    "width=64",
    "batch_size=4",
    "max_epochs=1",
    "threads=1",
    "precision=fp32",
    "split.method=stratified",
    "task=multiclass",
)
QUICK = [
    part
    for setting in (
        "checks.sheets=1",
        "checks.steps=3",
        "checks.draws=1",
        "report.resamples=20",
        "report.repeats=1",
    )
    for part in ("--set", setting)
]
METHODS = ("--methods", "gradcam,contrast")


def invoke(*arguments: object) -> Result:
    """Run a verb under the whole program's error handling."""
    app = typer.Typer(cls=whole_app.info.cls)
    for verb in (league, explain):
        app.command()(verb)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Plain sheets, and two types of defect with masks."""
    return _draw(tmp_path_factory.mktemp("data") / "mill", seed=0)


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Other sheets of the same kind."""
    return _draw(tmp_path_factory.mktemp("apart") / "other mill", seed=1)


def _draw(root: Path, *, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    for kind, width in (("free", 0), ("crack", 4), ("patch", 20)):
        (root / kind).mkdir(parents=True)
        for number in range(8):
            gray = np.clip(rng.normal(120, 10, (60, 80)), 0, 255).astype(np.uint8)
            if width:
                left = int(rng.integers(2, 50))
                mask = np.zeros((60, 80), dtype=np.uint8)
                mask[10:40, left : left + width] = 255
                gray[mask > 0] = 20
                Image.fromarray(mask).save(root / kind / f"{kind}{number}.png")
            Image.fromarray(gray).save(root / kind / f"{kind}{number}.jpg", quality=95)
    return root


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    train_run(data, recipe=load_recipe("default", RECIPE), out=out)
    return out


@pytest.fixture(scope="module")
def folds(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folds without a validation part."""
    out = tmp_path_factory.mktemp("folds")
    recipe = load_recipe("default", [*RECIPE, "split.train=0.8", "split.validation=0.0"])
    cross_validate(data, recipe=recipe, out=out, folds=FoldOptions(2))
    return out


def test_a_run_is_judged_on_its_test_sheets(run: Path, data: Path, tmp_path: Path) -> None:
    result = invoke("league", run, data, *METHODS, *QUICK, "--out", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout.splitlines()[-1])
    assert told["recommended"]["method"] == "gradcam"
    assert set(told["types"]) <= {"crack", "patch"}
    assert sum(told["types"].values()) == told["sheets"]
    assert told["ceiling"]["grid"] == [1, 2]
    assert set(told["methods"]) == {"gradcam", "contrast"}
    assert told["methods"]["gradcam"]["the_study"]["dice"] == 0.236
    assert told["mask_supervised"] is False
    assert {entry.name for entry in (tmp_path / "out").iterdir()} == {
        "report.html",
        "report.json",
        "league.json",
        "figures",
        "methods",
    }
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    figures = [
        block["id"] for part in report["chapters"] for block in part["blocks"] if block["kind"] == "figure"
    ]
    assert figures == ["league", "league-mask", "league-methods", "class-examples"]
    on_disk = json.loads((tmp_path / "out" / "league.json").read_text())
    assert on_disk["recommended"] == told["recommended"]


def test_an_interrupted_league_continues_and_says_how_long_it_takes(
    run: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = invoke("league", run, data, *METHODS, *QUICK, "--out", tmp_path / "whole", "--json")
    told = " ".join(whole.stderr.split())
    counted = re.search(
        r"2 methods on (\d+) sheets with masks \((\d+) to choose rules on, (\d+) to evaluate on\): about ",
        told,
    )
    assert counted is not None
    assert int(counted[1]) == int(counted[2]) + int(counted[3])
    assert "--limit N takes fewer sheets, --methods NAMES fewer methods" in told
    assert "gradcam: Grad-CAM (1 of 2, about " in whole.stderr
    done = evaluate_method

    def stop_at_the_second(name: str, *arguments: object) -> object:
        if name == "contrast":
            raise KeyboardInterrupt
        return done(name, *arguments)

    arguments = ("league", run, data, *METHODS, *QUICK, "--out", tmp_path / "out", "--json")
    with monkeypatch.context() as patch:
        patch.setattr("steelsight.explanations.benchmark.run.evaluate_method", stop_at_the_second)
        assert invoke(*arguments).exit_code == 130
    resumed = invoke(*arguments)
    assert "1 of 2 methods were evaluated before: gradcam" in resumed.stderr
    assert re.search(r"1 methods on \d+ sheets with masks ", " ".join(resumed.stderr.split()))
    numbers = [json.loads(each.stdout.splitlines()[-1]) for each in (whole, resumed)]
    for each in numbers:
        for method in each["methods"].values():
            method.pop("time_ms")
        each.pop("out")
    assert numbers[0] == numbers[1]
    again = invoke(*arguments)
    assert "2 of 2 methods were evaluated before" in again.stderr
    assert "about " not in again.stderr
    assert "evaluated before" not in invoke(*arguments, "--fresh").stderr
    assert "evaluated before" not in invoke(*arguments, "--seed", 1).stderr


def test_folds_are_pooled_and_choose_on_training_groups(folds: Path, data: Path) -> None:
    result = invoke("league", folds, data, *METHODS, *QUICK, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout.splitlines()[-1])
    assert told["sheets"] == 16  # every defective sheet once
    assert len(told["picks"]) == 2
    assert "the run has no validation sheets" in told["notes"][0]
    assert "has no validation" in (folds / "league-test" / "report.html").read_text().replace("\n", " ")


def test_methods_and_rules_are_chosen_on_another_folder(
    folds: Path, data: Path, apart: Path, tmp_path: Path
) -> None:
    """A run without validation sheets, judged on sheets kept apart: nothing could be chosen on these."""
    run = folds / "fold-0-0"
    assert not any(row.split == "validation" for row in read_splits(run))
    arguments = ("league", run, apart, "--split", "unseen", *METHODS, *QUICK, "--out", tmp_path, "--json")
    alone = json.loads(invoke(*arguments).stdout.splitlines()[-1])
    assert alone["recommended"]["validation_sheets"] == 0
    result = invoke(*arguments, "--choose-on", data)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout.splitlines()[-1])
    assert told["sheets"] == alone["sheets"] == 16
    unseen = [row for row in read_splits(run) if row.split == "test" and row.label != "free"]
    assert told["recommended"]["validation_sheets"] == len(unseen) > 0
    assert told["chosen_on"]["data"] == "mill"
    assert alone["chosen_on"] is None
    assert (
        told["notes"][0] == "methods and rules were chosen on sheets of mill that the run has not learnt from"
    )
    assert any(note.startswith("mill: ") and "were left out" in note for note in told["notes"])
    assert told["earlier_result"] is not None
    assert (tmp_path / "earlier" / "1" / "league.json").is_file()
    page = " ".join((tmp_path / "report.html").read_text().split())
    assert "hosen on sheets of mill" in page
    assert "hosen on validation" not in page


def test_the_sheets_chosen_on_are_those_of_the_other_folder(folds: Path, data: Path, apart: Path) -> None:
    benchmark = open_benchmark(folds, data, part="test", choose_on=apart)
    assert [each.data.name for each in benchmark.choosing] == ["other mill"] * 2
    judged = [name for case in benchmark.cases for name in case.evaluation.ids]
    defective = {item.id for item in benchmark.runs[0].data.items if item.types}
    assert sorted(judged) == sorted(defective)
    for case in benchmark.cases:  # each fold may choose on every sheet of the other folder
        chosen = open_run(folds / case.name, apart).data
        pixels = dict(zip(chosen.ids, chosen.images, strict=True))
        assert len(case.selection.ids) == 16
        for name, image in zip(case.selection.ids, case.selection.images, strict=True):
            assert (pixels[name] == image).all()


def test_folders_that_share_images_are_refused(run: Path, data: Path, apart: Path, tmp_path: Path) -> None:
    same = invoke("league", run, data, "--choose-on", data)
    assert same.exit_code == 2
    assert "got 24 with the same pixels" in " ".join(same.output.split())
    mixed = tmp_path / "mixed"
    shutil.copytree(apart, mixed)
    shutil.copy(data / "free" / "free3.jpg", mixed / "free" / "another name.jpg")
    result = invoke("league", run, data, "--choose-on", mixed)
    assert result.exit_code == 2
    assert "got 1 with the same pixels, such as free/another name.jpg and free/free3.jpg" in " ".join(
        result.output.split()
    )


def test_a_folder_that_the_run_has_learnt_from_is_refused(
    run: Path, data: Path, apart: Path, tmp_path: Path
) -> None:
    learnt = tmp_path / "learnt"
    shutil.copytree(data, learnt)
    for row in read_splits(run):
        if row.split == "test":
            (learnt / row.id).unlink()
            (learnt / row.id).with_suffix(".png").unlink(missing_ok=True)
    result = invoke("league", run, apart, "--split", "unseen", "--choose-on", learnt)
    assert result.exit_code == 2
    assert "learnt: expected unseen sheets of" in " ".join(result.output.split())


def test_a_limit_draws_so_many(folds: Path, data: Path, tmp_path: Path) -> None:
    result = invoke("league", folds, data, *METHODS, *QUICK, "--limit", 2, "--out", tmp_path, "--json")
    assert json.loads(result.stdout.splitlines()[-1])["sheets"] == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--methods", "gradcam,magic"), "methods: expected some of"),
        (("--split", "tset"), "split: expected one of train, validation, test or unseen"),
        (("--set", "study.k=2"), "expected key=value with a key of"),
    ],
)
def test_bad_options_are_refused(run: Path, data: Path, arguments: tuple[str, ...], message: str) -> None:
    result = invoke("league", run, data, *arguments)
    assert result.exit_code == 2
    assert message in result.output.replace("\n", " ")


def test_a_folder_without_a_run_is_refused(data: Path, tmp_path: Path) -> None:
    result = invoke("league", tmp_path, data)
    assert result.exit_code == 2
    assert "expected a RUN folder" in result.output


def test_errors_are_gathered_over_folds(folds: Path, data: Path, tmp_path: Path) -> None:
    result = invoke("explain", folds, data, "--errors", "--most", 1, "--out", tmp_path, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout.splitlines()[-1])
    assert told["sheets"] == 24
    mistakes = told["mistakes"]
    assert mistakes, "an untrained network errs"
    assert all(each["verdict"] != each["truth"] for each in mistakes)
    sure = [each["confidence"] for each in mistakes]
    assert sure == sorted(sure, reverse=True)
    for kind in {each["kind"] for each in mistakes}:
        assert sum(each["shown"] for each in mistakes if each["kind"] == kind) == 1
    page = (tmp_path / "errors.html").read_text()
    assert page.count("<img") == sum(each["shown"] for each in mistakes)


@pytest.mark.parametrize("temperature", [None, 0.5, 1.483, 4.0])
def test_a_verdict_has_one_probability(
    run: Path, data: Path, tmp_path: Path, temperature: float | None
) -> None:
    """Heading and panels of a figure give the same probability, at the run's temperature."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    model, card = load_checkpoint(copy)
    save_checkpoint(copy, model, card.model_copy(update={"temperature": temperature}))
    opened = open_run(copy, data)
    mistakes, predicted = collect_mistakes([opened], "test")
    assert mistakes, "a network of one epoch errs"
    rows = draw_mistakes(mistakes, predicted, method="gradcam", most=3)
    names = opened.card.class_names
    for mistake in mistakes:
        if mistake.row in rows:
            verdict = names[mistake.verdict[0]]
            drawn = rows[mistake.row]
            assert f"{verdict} {mistake.confidence:.2f}  (true" in drawn.title
            assert f"{verdict}  {mistake.confidence:.2f}" in drawn.names


def test_errors_need_one_data_folder(run: Path, data: Path) -> None:
    result = invoke("explain", run, data, data, "--errors")
    assert result.exit_code == 2
    assert "expected one DATA folder, got 2 paths" in result.output.replace("\n", " ")
