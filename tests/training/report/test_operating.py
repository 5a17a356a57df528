"""The operating point: chosen on validation sheets, reported on test sheets, at the line's prevalence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from steelsight.errors import BadInput
from steelsight.evaluation.curves.operating import ESCAPE
from steelsight.runs.evaluate import evaluate_run
from steelsight.training.dataset import open_training_sheets
from steelsight.training.recipe import Recipe
from steelsight.training.report.operating import choose_threshold, report_operating
from steelsight.training.run import train_run

Folder = Callable[..., Path]
Small = Callable[..., Recipe]


def test_evaluations_use_the_threshold_of_the_run(folder: Folder, small: Small, tmp_path: Path) -> None:
    data = folder(classes=3, per_class=20)
    run = train_run(data, recipe=small("task=multiclass", "max_epochs=1"), out=tmp_path / "run")
    point = run.metrics["operating_point"]
    assert 0 <= point["threshold"] <= 1
    assert "of the good ones are stopped" in (run.folder / "README.md").read_text()
    assert "Operating point" in (run.folder / "report.html").read_text()
    rare = evaluate_run(run.folder, data, part="test", prevalence=0.02).metrics["operating_point"]
    assert rare["threshold"] == point["threshold"]
    assert rare["escape"] == point["escape"]
    assert rare["escaped_per_1000"] == pytest.approx(20 * point["escape"]["estimate"])
    with pytest.raises(BadInput, match="prevalence: expected above 0 and below 1, got 2"):
        evaluate_run(run.folder, data, part="test", prevalence=2.0)


def test_without_test_sheets_the_threshold_is_kept_for_other_sheets(
    folder: Folder, small: Small, tmp_path: Path
) -> None:
    recipe = small("max_epochs=1", "split.train=.7", "split.validation=.3", "split.test=0")
    run = train_run(folder(classes=2, per_class=20), recipe=recipe, out=tmp_path / "run")
    assert run.metrics["operating_point"] is None
    threshold = run.metrics["operating_threshold"]
    assert 0 <= threshold <= 1
    other = folder("other", classes=2, seed=7)
    assert evaluate_run(run.folder, other).metrics["operating_point"]["threshold"] == threshold


def test_metrics_without_the_key_have_their_threshold_in_the_operating_point(
    folder: Folder, small: Small, tmp_path: Path
) -> None:
    data = folder(classes=2, per_class=20)
    run = train_run(data, recipe=small("max_epochs=1"), out=tmp_path / "run")
    path = run.folder / "metrics.json"
    metrics = json.loads(path.read_text())
    assert metrics["operating_threshold"] == metrics["operating_point"]["threshold"]
    del metrics["operating_threshold"]
    del metrics["notes"]
    path.write_text(json.dumps(metrics))
    (run.folder / "checksums.json").unlink()  # runs of older versions have none
    found = evaluate_run(run.folder, data).metrics["operating_point"]
    assert found["threshold"] == run.metrics["operating_threshold"]
    path.write_text(json.dumps(metrics | {"operating_point": None}))
    assert evaluate_run(run.folder, data).metrics["operating_point"] is None
    path.unlink()
    assert evaluate_run(run.folder, data).metrics["operating_point"] is None


def test_at_the_threshold_one_in_twenty_escapes(folder: Folder, small: Small) -> None:
    data = open_training_sheets(folder(classes=2, per_class=40), small())
    score = np.linspace(-3, 3, 80)
    logits = np.stack([-score, score], axis=1).astype(np.float32)
    everyone = np.arange(80)
    threshold = choose_threshold(data, logits, everyone)
    assert threshold is not None
    defective = data.labelled.labels == 1
    passed = 1 / (1 + np.exp(-2 * score[defective])) < threshold
    assert passed.mean() <= ESCAPE
    report = report_operating(data, logits, everyone, threshold, seed=0, resamples=10)
    assert report is not None
    assert report["escape"]["estimate"] == pytest.approx(passed.mean())
    good = np.flatnonzero(~defective)
    assert choose_threshold(data, logits, good) is None
    assert report_operating(data, logits, good, 0.5, seed=0) is None
    assert report_operating(data, logits, everyone, None, seed=0) is None
