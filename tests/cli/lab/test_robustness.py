"""`steelsight robustness` and `label-curve` end to end on tiny sheets."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.runs.robustness import DISTURBANCES
from steelsight.training.recipe_files import load_recipe
from steelsight.training.run import train_run

SMALL = ("model.name=adhoc", "height=48", "width=64", "max_epochs=1", "threads=1", "precision=fp32")


@pytest.fixture(scope="module")
def mill(tmp_path_factory):
    """A DATA folder of two classes and a run trained on it."""
    root, rng = tmp_path_factory.mktemp("mill"), np.random.default_rng(0)
    for name, low in (("none", 90), ("dent", 150)):
        (root / "data" / name).mkdir(parents=True)
        for number in range(12):
            gray = rng.integers(low, low + 60, (48, 64), dtype=np.uint8)
            Image.fromarray(gray).save(root / "data" / name / f"{name}{number}.png")
    recipe = load_recipe("default", [*SMALL, "split.method=stratified"])
    train_run(root / "data", recipe=recipe, out=root / "run")
    return root


def test_every_disturbance_has_its_curve(mill, tmp_path):
    done = CliRunner().invoke(
        app, ["robustness", str(mill / "run"), str(mill / "data"), "--out", str(tmp_path), "--json"]
    )
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found["curves"]) == set(DISTURBANCES)
    clean = {curve["points"][0]["balanced_accuracy"] for curve in found["curves"].values()}
    assert len(clean) == 1
    assert all(curve["points"][0]["level"] == 0 for curve in found["curves"].values())
    page = (tmp_path / "report.html").read_text()
    assert all(title in page for title in ("Dead columns", "Vibration", "Camera noise"))


def test_no_sheet_left_is_said(mill):
    done = CliRunner().invoke(
        app, ["robustness", str(mill / "run"), str(mill / "data"), "--split", "elsewhere"]
    )
    assert done.exit_code == 2
    assert "expected one of train, validation, test or unseen" in done.stderr


def test_a_learning_curve(mill, tmp_path):
    options = [word for setting in SMALL for word in ("--set", setting)]
    done = CliRunner().invoke(
        app,
        [
            "label-curve",
            str(mill / "data"),
            "--out",
            str(tmp_path),
            "--shares",
            "0.4,0.7,1",
            *options,
            "--json",
        ],
    )
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout.splitlines()[-1])["rows"]) == 3
    bad = CliRunner().invoke(
        app, ["label-curve", str(mill / "data"), "--out", str(tmp_path), "--shares", "a,b"]
    )
    assert bad.exit_code == 2
    assert "--shares: expected numbers joined by commas, got 'a,b'" in bad.stderr
