"""A run keeps sketches of its training sheets, by which near-duplicates in another folder are recognised."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from steelsight.checksums import CHECKSUMS_FILE
from steelsight.errors import BadCheckpoint
from steelsight.runs.abstention.calibrate import calibrate_run
from steelsight.runs.abstention.confidence_scores import compare_confidence_scores
from steelsight.runs.compare import compare_runs
from steelsight.runs.evaluate import evaluate_run
from steelsight.runs.opening.open import open_run
from steelsight.sheets.grouping.duplicates import sketch_sheets
from steelsight.training import sketches
from steelsight.training.recipe import Recipe
from steelsight.training.run import train_run

Small = Callable[..., Recipe]
CLASSES = ("good", "scratch")


def _sheets(root: Path, count: int, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    for kind in CLASSES:
        for number in range(count):
            pixels = rng.integers(60, 160, (32, 64), dtype=np.uint8)
            if kind == "scratch":
                pixels[10:14, 20:40] = 220
            path = root / kind / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return root


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return _sheets(tmp_path / "data", 30, seed=1)


@pytest.fixture
def run(data: Path, small: Small, train_once: Callable[..., Any], tmp_path: Path) -> Path:
    train_once(train_run, data, recipe=small("task=multiclass"), out=tmp_path / "run")
    return tmp_path / "run"


def _brightened(root: Path, data: Path, run: Path, most: int) -> tuple[Path, int]:
    """A folder of new sheets and brightened copies of sheets of the run; and how many of these trained it."""
    _sheets(root, 20, seed=5)
    rows = [row for row in open_run(run, data).splits if row.split != "apart"]
    copied = rows[:most] + rows[-most:]
    for row in copied:
        values = np.asarray(Image.open(data / row.id)).astype(np.int64)
        copy = root / Path(row.id).parent / f"copy_{Path(row.id).name}"
        Image.fromarray(np.clip(values + 12, 0, 255).astype(np.uint8)).save(copy)
    return root, sum(row.split == "train" for row in copied)


def test_near_duplicates_of_training_sheets_in_another_folder_are_counted(
    run: Path, data: Path, tmp_path: Path
) -> None:
    other, expected = _brightened(tmp_path / "other", data, run, most=6)
    assert 0 < expected < 12
    opened = open_run(run, other)
    names = {data_id for data_id in opened.data.ids if "copy_" in data_id}
    near = opened.seen.near_duplicates("unseen")
    assert near is not None
    assert len(near) == expected
    assert {opened.data.ids[i] for i in near} <= names
    words = f"{expected} unseen sheets are near-duplicates of training sheets, by sketches of their grain"
    assert any(note.startswith(words) for note in opened.notes("unseen"))
    assert any(note.startswith(words) for note in evaluate_run(run, other).metrics["notes"])
    compare_runs([run, run], other, out=tmp_path / "compared")
    numbers = json.loads((tmp_path / "compared/compare.json").read_text())
    assert any(words in note for note in numbers["notes"])
    assert words in (tmp_path / "compared/compare.html").read_text()
    scored = compare_confidence_scores(run, data, on=other, out=tmp_path / "scores", resamples=5)
    assert any(note.startswith(words) for note in scored.notes)
    report = calibrate_run(run, other)
    assert any(note.startswith(words) for note in report.numbers["notes"])


def test_on_its_own_folder_a_run_tells_only_of_near_duplicates_there_are(run: Path, data: Path) -> None:
    assert not any("near-duplicates" in note for note in open_run(run, data).notes("unseen"))


def test_a_run_without_sketches_says_what_was_not_looked_for(run: Path, data: Path, tmp_path: Path) -> None:
    (run / sketches.SKETCHES_FILE).unlink()
    other = _sheets(tmp_path / "other", 5, seed=8)
    (note,) = open_run(run, other).notes("unseen")
    assert note.startswith(
        "near-duplicates of training sheets were not looked for: the run keeps no sketches"
    )
    assert open_run(run, data).notes("test") == []
    (run / sketches.SKETCHES_FILE).write_bytes(b"damaged")
    with pytest.raises(BadCheckpoint, match="it was altered or damaged; restore it, or train again"):
        open_run(run, other).notes("unseen")
    (run / CHECKSUMS_FILE).unlink()
    with pytest.raises(BadCheckpoint, match="expected sketches of the training sheets, got"):
        open_run(run, other).notes("unseen")


def test_a_run_keeps_a_bounded_number_of_sketches(
    run: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_run(run, data)
    trained = opened.parts.count("train")
    monkeypatch.setattr(sketches, "MOST_KEPT", 7)
    (run / CHECKSUMS_FILE).unlink()
    sketches.write_sketches(run, opened.data, opened.parts)
    shape = (opened.data.input.height, opened.data.input.width)
    kept = sketches.read_sketches(run, shape)
    assert kept is not None
    assert (len(kept.sketches), kept.trained) == (7, trained)
    assert sketches.read_sketches(run, (shape[0] + 1, shape[1])) is None
    other = _sheets(tmp_path / "other", 5, seed=8)
    notes = open_run(run, other).notes("unseen")
    assert f"sketches of 7 of {trained} training sheets were compared" in notes


def test_the_pages_state_the_rule_and_the_number_of_groups(run: Path, data: Path, tmp_path: Path) -> None:
    report = calibrate_run(run, data)
    groups = report.numbers["groups"]["certificate"]
    assert groups == report.numbers["sheets"]["certificate"]
    page = (run / "calibration.html").read_text()
    assert "groups that certified" in page
    assert "none, every sheet counts on its own" in page
    scored = compare_confidence_scores(run, data, out=tmp_path / "scores", resamples=5)
    assert scored.groups == scored.right.size
    assert "rule of the groups" in (tmp_path / "scores/confidence.html").read_text()
    numbers = json.loads((tmp_path / "scores/confidence.json").read_text())
    assert numbers["groups"] == {"rule": scored.grouping, "count": scored.groups}


def test_a_sketch_estimates_what_the_pixels_say() -> None:
    images = np.random.default_rng(3).integers(60, 160, (40, 64, 400)).astype(np.uint8)
    images[20:] = images[:20] // 2 + images[20:] // 2  # half the grain of another sheet
    grain = np.diff(images.astype(np.int64), axis=1).clip(-16, 16).reshape(len(images), -1).astype(float)
    grain /= np.linalg.norm(grain, axis=1, keepdims=True)
    found = sketch_sheets(images, np.arange(len(images)))
    exact = grain @ grain.T
    assert exact[0, 20] > 0.3
    assert np.abs(found @ found.T - exact).max() < 5 / np.sqrt(256)  # 5 standard deviations of the estimate
