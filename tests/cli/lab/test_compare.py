"""`steelsight compare` as a person and as a program run it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from steelsight.cli import app
from steelsight.runs.compare import METRICS
from steelsight.training.folds import cross_validate
from steelsight.training.options import FoldOptions
from steelsight.training.recipe_files import load_recipe
from steelsight.training.run import train_run

SMALL = (
    "model.name=adhoc",
    "height=48",
    "width=64",
    "max_epochs=1",
    "threads=1",
    "precision=fp32",
    "split.method=stratified",
)


def _compare(*arguments: Any) -> Result:
    return CliRunner().invoke(app, ["compare", *(str(argument) for argument in arguments)])


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DATA, two runs on one split, and two cross-validations on the same folds."""
    root, rng = tmp_path_factory.mktemp("mill"), np.random.default_rng(0)
    for name, low in (("none", 60), ("dent", 150)):
        (root / "data" / name).mkdir(parents=True)
        for number in range(12):
            gray = rng.integers(low, low + 60, (48, 64), dtype=np.uint8)
            Image.fromarray(gray).save(root / "data" / name / f"{name}{number}.png")
    for name, rate in (("slow", 1e-5), ("fast", 3e-3)):
        recipe = load_recipe("default", [*SMALL, f"learning_rate={rate}"])
        train_run(root / "data", recipe=recipe, out=root / name)
        cross_validate(root / "data", recipe=recipe, out=root / f"{name}-folds", folds=FoldOptions(2))
    return root


def test_runs_on_data_none_has_seen(mill: Path, tmp_path: Path) -> None:
    done = _compare(
        mill / "slow", mill / "fast", "--data", mill / "data", "--out", tmp_path / "out", "--json"
    )
    assert done.exit_code == 0, done.output
    runs = json.loads(done.stdout.splitlines()[-1])["runs"]
    assert [each["name"] for each in runs] == ["slow", "fast"]
    assert runs == json.loads((tmp_path / "out" / "compare.json").read_text())["runs"]
    for metric in METRICS:
        gap = runs[1]["metrics"][metric]["estimate"] - runs[0]["metrics"][metric]["estimate"]
        assert runs[1]["against_first"][metric]["difference"]["estimate"] == pytest.approx(gap)
    assert runs[0]["against_first"] == {}
    assert done.stderr.count("against the first") == len(METRICS)
    assert done.stderr.count("McNemar p =") == 1
    assert (tmp_path / "out" / "compare.html").is_file()


def test_sheets_are_weighted_to_shares(mill: Path) -> None:
    given = mill / "slow", mill / "fast", "--data", mill / "data", "--split", "test", "--json"

    def figures(shares: str) -> list[dict[str, float]]:
        done = _compare(*given, "--shares", shares)
        assert done.exit_code == 0, done.output
        told = json.loads(done.stdout.splitlines()[-1])["runs"]
        return [{name: each["metrics"][name]["estimate"] for name in METRICS} for each in told]

    even, uneven, sound = figures("1,1"), figures(".8,.2"), figures("1,0")
    for one, other, alone in zip(even, uneven, sound, strict=True):
        recalls = alone["accuracy"], 2 * one["accuracy"] - alone["accuracy"]
        assert one["accuracy"] == pytest.approx(one["balanced_accuracy"])
        assert other["accuracy"] == pytest.approx(0.8 * recalls[0] + 0.2 * recalls[1])


def test_cross_validations_bring_their_answers(mill: Path, tmp_path: Path) -> None:
    done = _compare(mill / "slow-folds", mill / "fast-folds", "--out", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert (told["split"], told["sheets"]) == ("out of fold", 24)
    assert json.loads(done.stdout.splitlines()[-1])["runs"] == told["runs"]


@pytest.mark.parametrize(
    ("runs", "options", "message"),
    [
        (("slow", "fast"), (), "--data: expected the DATA folder whose sheets judge, got none"),
        (("slow", "fast-folds"), ("--data",), "expected runs alone or cross-validations alone, got both"),
        (("slow",), ("--data",), "compare: expected at least two runs, got 1"),
        (("slow-folds",), (), "compare: expected at least two cross-validations, got 1"),
        (("slow", "fast"), ("--split", "all", "--data"), "14 of 24 sheets trained slow"),
        (("slow", "nothing"), ("--data",), "expected a RUN folder"),
        (("slow", "fast"), ("--shares", ".5", "--data"), "shares: expected 2 of at least 0, of none, defect"),
        (("slow", "fast"), ("--shares", "many", "--data"), "--shares: expected 'study' or numbers"),
        (("slow-folds", "fast-folds"), ("--shares", "1,1"), "--shares: expected with --data"),
    ],
)
def test_what_cannot_be_compared(
    mill: Path, runs: tuple[str, ...], options: tuple[str, ...], message: str
) -> None:
    data = [mill / "data"] if "--data" in options else []
    done = _compare(*(mill / name for name in runs), *options, *data)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
