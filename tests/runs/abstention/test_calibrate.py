"""Calibration: from sheets that trained nothing, into the card, and reproducible from what is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steelsight.errors import BadData, BadInput
from steelsight.evaluation.abstention.cost import Prices
from steelsight.evaluation.abstention.guarantee import THRESHOLDS, upper_bound
from steelsight.models.card import temperature_source
from steelsight.models.checkpoint import load_checkpoint
from steelsight.runs.abstention import calibrate
from steelsight.runs.abstention.calibrate import calibrate_run
from steelsight.runs.abstention.calibration_page import temperature_outcome
from steelsight.runs.abstention.options import CalibrationOptions
from steelsight.runs.evaluate import evaluate_run
from steelsight.sheets.options import DataOptions
from steelsight.training.dataset import open_sheets
from steelsight.training.recipe import Recipe
from steelsight.training.records import read_splits
from steelsight.training.run import train_run

Folder = Callable[..., Path]
Small = Callable[..., Recipe]
Once = Callable[..., Any]


@pytest.fixture
def trained(folder: Folder, small: Small, train_once: Once, tmp_path: Path) -> tuple[Path, Path]:
    """A run and its DATA."""
    data, run = folder(classes=2, per_class=24), tmp_path / "run"
    train_once(train_run, data, recipe=small("task=binary", "max_epochs=3", "learning_rate=3e-3"), out=run)
    return run, data


def test_the_card_has_the_values_of_the_numbers(trained: tuple[Path, Path]) -> None:
    run, data = trained
    before = evaluate_run(run, data, part="test").metrics["report"]["accuracy"]
    done = calibrate_run(run, data, CalibrationOptions(risk=0.4, delta=0.2))
    numbers = json.loads((run / "calibration.json").read_text())
    _, card = load_checkpoint(run)
    assert card.temperature == numbers["temperature"] == done.numbers["temperature"]
    assert card.threshold == numbers["threshold"] == done.certificate.threshold
    assert numbers["temperature_from"] == "the run's validation sheets"
    splits = [row.split for row in read_splits(run)]
    counts = {"temperature": splits.count("validation"), "certificate": splits.count("test")}
    assert numbers["sheets"] == counts
    assert "temperature" in (run / "README.md").read_text()
    assert evaluate_run(run, data, part="test").metrics["report"]["accuracy"] == before
    page, readme = ((run / name).read_text() for name in ("calibration.html", "README.md"))
    assert done.certificate.threshold is not None
    assert done.certificate.statement[1:] in page
    assert f"threshold by certificate: {done.certificate.statement}" in readme
    share = numbers["coverage"]
    assert share["estimate"] == pytest.approx(done.certificate.coverage)
    answered = (
        f"it answers {share['estimate']:.3f} [{share['low']:.3f}, {share['high']:.3f}] of the unseen sheets"
    )
    assert answered in readme
    assert "Balanced accuracy is the mean over the classes with an answered sheet: 2 of 2 from 0" in page
    assert "as trained, before the temperature" in readme


def test_the_certificate_can_be_checked_from_what_is_written(trained: tuple[Path, Path]) -> None:
    run, data = trained
    calibrate_run(run, data, CalibrationOptions(risk=0.4, delta=0.2))
    numbers = json.loads((run / "calibration.json").read_text())["certificate"]
    steps = numbers["tested"]
    assert [step["threshold"] for step in steps] == sorted((s["threshold"] for s in steps), reverse=True)
    assert {step["threshold"] for step in steps} <= set(THRESHOLDS)
    for step in steps:
        assert step["bound"] == pytest.approx(upper_bound(step["wrong"], step["answered"], numbers["delta"]))
        assert step["passed"] == (step["bound"] <= numbers["risk"])
    passed = [step["threshold"] for step in steps if step["passed"]]
    assert numbers["threshold"] == (passed[-1] if passed else None)


def test_too_few_sheets_give_the_number_needed(trained: tuple[Path, Path]) -> None:
    run, data = trained
    done = calibrate_run(run, data, CalibrationOptions(risk=0.001))
    assert done.certificate.threshold is None
    assert done.certificate.more_groups > 1000
    assert "no threshold can be certified" in (run / "calibration.html").read_text().lower()
    _, card = load_checkpoint(run)
    assert card.threshold is None
    assert card.temperature is not None
    numbers, readme = json.loads((run / "calibration.json").read_text()), (run / "README.md").read_text()
    assert numbers["coverage"] is numbers["threshold_by"] is numbers["promise"] is None
    assert "no threshold is set: it always answers" in readme
    assert f"no threshold could be certified: {done.certificate.statement}" in readme
    assert "stay" not in readme.split("## Doubt")[1].split("##")[0]


def test_a_temperature_that_is_worse_on_other_sheets_is_not_adopted(
    trained: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, data = trained
    monkeypatch.setattr(calibrate, "fit_temperature", lambda _logits, _labels: 0.05)
    monkeypatch.setattr(calibrate, "is_worse_than_one", lambda *_: True)
    done = calibrate_run(run, data, CalibrationOptions(risk=0.001))
    _, card = load_checkpoint(run)
    assert (card.temperature, card.threshold) == (1.0, None)
    assert (done.numbers["temperature"], done.numbers["card_temperature"]) == (0.05, 1.0)
    assert temperature_source(card) == "kept by calibrate, whose fitted one was worse on other sheets"
    kept = calibrate_run(run, data, CalibrationOptions(risk=0.9, delta=0.5))  # a certificate needs it fixed
    assert kept.certificate.threshold is not None
    assert load_checkpoint(run)[1].temperature == 0.05


@pytest.mark.parametrize(
    ("losses", "threshold", "end"),
    [
        ((0.63, 0.77), None, "worse there, so the card has temperature 1"),
        ((0.63, 0.77), 0.9, "worse there; bring more sheets to fit it"),
        ((0.77, 0.63), None, "log loss 0.770 at 1 → 0.630"),
        ((0.63, 0.63), None, "log loss 0.630 at 1 → 0.630"),
        ((None, None), None, "calibration error 0.200 at 1 → 0.300"),
    ],
)
def test_the_outcome_of_a_temperature_is_told_by_log_loss(
    losses: tuple[float | None, float | None], threshold: float | None, end: str
) -> None:
    errors = (0.2, 0.3)  # larger in every case: it decides nothing
    quality = {
        name: {"calibration_error": error, "log_loss": loss}
        for name, error, loss in zip(("before", "after"), errors, losses, strict=True)
    }
    numbers = {
        "temperature": 1.48,
        "sheets": {"temperature": 26, "certificate": 21},
        "quality": quality,
        "threshold": threshold,
        "card_temperature": 1.0,
    }
    said = temperature_outcome(numbers)
    assert said.startswith(
        "temperature 1.48, fitted on 26 sheets; on the 21 others calibration error 0.200 at"
    )
    assert said.endswith(end)


def test_a_threshold_from_before_survives_one_that_cannot_be_certified(trained: tuple[Path, Path]) -> None:
    run, data = trained
    first = calibrate_run(run, data, CalibrationOptions(risk=0.4, delta=0.2))
    _, before = load_checkpoint(run)
    assert before.threshold is not None
    for _ in range(2):  # what was promised outlives several failures
        failed = calibrate_run(run, data, CalibrationOptions(split="validation", risk=0.001, seed=3))
        assert failed.certificate.threshold is None
        assert load_checkpoint(run)[1] == before
        numbers, readme = json.loads((run / "calibration.json").read_text()), (run / "README.md").read_text()
        assert (numbers["threshold"], numbers["card_temperature"]) == (before.threshold, before.temperature)
        assert numbers["temperature"] != before.temperature  # half of the validation sheets fit another
        assert numbers["promise"] == first.certificate.statement
        assert f"threshold by earlier calibration: {first.certificate.statement}" in readme
        stays = f"{failed.certificate.statement}; the earlier threshold and its"
        assert f"no threshold could be certified: {stays}" in readme
        assert "by earlier calibration" in (run / "calibration.html").read_text()
    (run / "calibration.json").unlink()
    calibrate_run(run, data, CalibrationOptions(risk=0.001))
    assert "its certificate is not on record" in (run / "README.md").read_text()


def test_other_sheets_are_halved_by_group(trained: tuple[Path, Path], folder: Folder) -> None:
    run, _ = trained
    other = folder("OTHER", classes=2, per_class=20, seed=9)
    done = calibrate_run(run, other, CalibrationOptions(risk=0.4, delta=0.2), DataOptions("frames"))
    assert done.numbers["temperature_from"] == "half of the groups"
    sizes = done.numbers["sheets"]
    assert sizes["temperature"] + sizes["certificate"] == 40
    assert sizes["temperature"] % 2 == 0  # pairs share a group


def test_the_cheapest_threshold_is_written_by_cost(trained: tuple[Path, Path]) -> None:
    run, data = trained
    done = calibrate_run(
        run,
        data,
        CalibrationOptions(escape_price=100.0, overkill_price=5.0, review_price=1.0, by="cost", risk=0.4),
    )
    assert done.cost is not None
    assert np.isfinite(done.cost.threshold)
    assert done.numbers["threshold"] == min(np.nextafter(1.0, 0.0), done.cost.threshold)
    assert "threshold by cost: chosen for the least cost" in (run / "README.md").read_text()
    assert (
        done.cost.cost_a_sheet.estimate
        <= min(done.cost.cost_without_review, done.cost.cost_all_review) + 1e-9
    )
    dear = calibrate_run(
        run,
        data,
        CalibrationOptions(escape_price=1.0, overkill_price=1.0, review_price=1e6, by="cost", risk=0.4),
    )
    assert dear.numbers["threshold"] == 0
    assert dear.numbers["coverage"]["estimate"] == 1


@pytest.mark.parametrize("sure", [0.0, 0.5])
def test_review_everything_answers_nothing_though_confidences_are_1(
    trained: tuple[Path, Path], sure: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logits so far apart that a softmax is 1: all wrong, or half of them right and the others unsure."""
    run, data = trained
    labels = open_sheets(data, "binary", load_checkpoint(run)[1].input).labelled.labels
    gap = np.where(np.arange(labels.size) % 2 < 2 * sure, 1e5, -1e5 if sure == 0 else -0.1)
    logits = gap[:, None] * np.eye(2)[labels]
    monkeypatch.setattr(
        "steelsight.runs.abstention.calibrate.predict_logits", lambda *_: logits.astype(np.float32)
    )
    done = calibrate_run(
        run, data, CalibrationOptions(escape_price=100.0, overkill_price=100.0, review_price=1.0, by="cost")
    )
    _, card = load_checkpoint(run)
    assert done.cost is not None
    readme, page = ((run / name).read_text() for name in ("README.md", "calibration.html"))
    if sure == 0:
        assert done.cost.threshold == np.inf
        assert card.threshold == 1
        assert done.numbers["coverage"]["estimate"] == done.cost.coverage == 0
        assert 'it says "I don\'t know" of every sheet' in readme
        assert "review everything" in page
    else:
        assert done.cost.threshold == 1
        assert card.threshold == np.nextafter(1.0, 0.0)
        assert done.numbers["coverage"]["estimate"] == pytest.approx(done.cost.coverage)
        assert 0 < done.cost.coverage < 1


def test_bad_input(
    trained: tuple[Path, Path], folder: Folder, small: Small, train_once: Once, tmp_path: Path
) -> None:
    run, data = trained
    for change, message in (
        ({"split": "train"}, "--split: expected one of unseen, test, validation, got 'train'"),
        ({"risk": 0.0}, "expected risk and delta above 0 and below 1, got 0.0"),
        ({"delta": 1.5}, "expected risk and delta above 0 and below 1"),
        ({"by": "cost"}, "expected the prices of an escape, an overkill and a review, got none"),
        (
            {"escape_price": 1.0, "overkill_price": 1.0, "review_price": 1.0, "prevalence": 1.0},
            "prevalence: expected above 0 and below 1",
        ),
    ):
        with pytest.raises(BadInput, match=message):
            calibrate_run(run, data, CalibrationOptions(**change))
    with pytest.raises(BadInput, match="expected"):
        Prices(-1.0, 1.0, 1.0)
    alone = folder("ONE", classes=2, per_class=1, seed=5)
    for path in list((alone / "bar").iterdir()):
        path.unlink()
    (alone / "bar").rmdir()
    with pytest.raises(BadData, match="expected at least two groups of unseen sheets"):
        calibrate_run(run, alone)
    several = tmp_path / "several"
    train_once(
        train_run, data, recipe=small("task=multilabel", "max_epochs=1", "split.method=random"), out=several
    )
    with pytest.raises(BadInput, match="expected a binary or multiclass run, got multilabel"):
        calibrate_run(several, data)


def test_training_sheets_never_certify(trained: tuple[Path, Path]) -> None:
    run, data = trained
    done = calibrate_run(run, data, CalibrationOptions(risk=0.4))
    parts = done.numbers["data"]["parts"]
    trained_sheets = sum(row.split == "train" for row in read_splits(run))
    assert parts["left out"] == trained_sheets
    assert np.isfinite(done.numbers["temperature"])
