"""`steelsight calibrate` as a person and as a program run it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from steelsight.cli import app
from steelsight.models.checkpoint import load_checkpoint
from steelsight.training.recipe_files import load_recipe
from steelsight.training.run import train_run

SMALL = (
    "model.name=adhoc",
    "height=48",
    "width=64",
    "threads=1",
    "precision=fp32",
    "split.method=stratified",
)
PRICES = ("--escape-price", 100, "--overkill-price", 5, "--review-price", 1)


def _calibrate(*arguments: Any) -> Result:
    return CliRunner().invoke(app, ["calibrate", *(str(argument) for argument in arguments)])


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DATA of dark and bright sheets, and a run trained on it."""
    root, rng = tmp_path_factory.mktemp("mill"), np.random.default_rng(0)
    for name, low in (("none", 40), ("dent", 190)):
        (root / "data" / name).mkdir(parents=True)
        for number in range(24):
            gray = rng.integers(low, low + 60, (48, 64), dtype=np.uint8)
            Image.fromarray(gray).save(root / "data" / name / f"{name}{number}.png")
    recipe = load_recipe("default", [*SMALL, "max_epochs=3", "learning_rate=3e-3"])
    train_run(root / "data", recipe=recipe, out=root / "run")
    return root


@pytest.fixture
def run(mill: Path, tmp_path: Path) -> Path:
    """The run, to write into."""
    return Path(shutil.copytree(mill / "run", tmp_path / "run"))


def test_what_is_certified_is_told_and_in_the_card(run: Path, mill: Path) -> None:
    done = _calibrate(run, mill / "data", "--risk", 0.6, "--delta", 0.2, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == json.loads((run / "calibration.json").read_text())
    assert found["threshold"] == load_checkpoint(run)[1].threshold
    assert (found["threshold"], found["threshold_by"]) == (found["certificate"]["threshold"], "certificate")
    assert "with 80 % confidence at most 0.6 of the answers" in done.stderr
    assert "calibration error" in done.stderr
    assert (run / "calibration.html").is_file()
    again = _calibrate(run, mill / "data", "--risk", 0.001, "--json")
    assert again.exit_code == 0, again.output
    assert "no threshold can be certified for a risk of 0.001 at 90 %" in again.stderr
    assert f"keeps its earlier threshold {found['threshold']:g}" in again.stderr
    assert json.loads(again.stdout.splitlines()[-1])["threshold"] == found["threshold"]


def test_by_cost(run: Path, mill: Path) -> None:
    done = _calibrate(run, mill / "data", *PRICES, "--by", "cost", "--prevalence", 0.02, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["threshold_by"] == "cost"
    assert found["threshold"] == load_checkpoint(run)[1].threshold
    assert found["cost"]["prices"] == {"escape": 100.0, "overkill": 5.0, "review": 1.0}
    assert "cheapest: threshold" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--split", "train"), "--split: expected one of unseen, test, validation, got 'train'"),
        (("--escape-price", 1), "--escape-price, --overkill-price and --review-price, all or none"),
        (("--by", "cost"), "--by cost: expected the prices"),
        (("--risk", 0), "expected risk and delta above 0 and below 1, got 0.0"),
        ((*PRICES, "--prevalence", 1), "prevalence: expected above 0 and below 1"),
        (("--groups", "colour"), "colour"),
    ],
)
def test_bad_options_exit_with_2_and_leave_the_card(
    run: Path, mill: Path, options: tuple[Any, ...], message: str
) -> None:
    before = (run / "card.json").read_bytes()
    done = _calibrate(run, mill / "data", *options)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
    assert (run / "card.json").read_bytes() == before
    assert not (run / "calibration.json").exists()


def test_the_seed_is_to_be_chosen_beforehand() -> None:
    words = " ".join(_calibrate("--help").output.replace("│", " ").split())
    assert "trying seeds until one certifies breaks the promise of delta" in words
