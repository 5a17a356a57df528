"""`steelsight evaluate` as a person and as a program run it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from steelsight.cli import app


def _run(*arguments: Any) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for number in range(20):
        path = tmp_path / "DATA" / ("crack" if number % 2 else "good") / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (48, 64), dtype=np.uint8)).save(path)
    return tmp_path / "DATA"


@pytest.fixture
def run(data: Path, tmp_path: Path) -> Path:
    sets = [part for key in ("height=48", "width=64", "threads=1") for part in ("--set", key)]
    done = _run("train", data, "--out", tmp_path / "run", "--model", "adhoc", "--epochs", 1, *sets)
    assert done.exit_code == 0, done.output
    return tmp_path / "run"


def test_evaluate(run: Path, data: Path, tmp_path: Path) -> None:
    result = _run("evaluate", run, data, "--noise", 0.15, "--out", tmp_path / "found", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout.splitlines()[-1])
    trained = json.loads((run / "metrics.json").read_text())
    assert found["noise_sigma"] == 0.15
    assert found["report"]["sheets"] == trained["test"]["sheets"]
    assert found["data"]["hash"] == trained["data"]["hash"]
    assert "seen in training were left out" in result.stderr
    assert {path.name for path in (tmp_path / "found").iterdir()} == {
        "metrics.json",
        "predictions.parquet",
        "report.html",
        "figures",
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--split", "all"), "--split unseen"),
        (("--split", "tests"), "expected one of unseen, test"),
        (("--groups", "colour"), "expected"),
    ],
)
def test_bad_options_exit_with_2(run: Path, data: Path, options: tuple[str, ...], message: str) -> None:
    result = _run("evaluate", run, data, *options)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_folder_that_is_no_run(data: Path, tmp_path: Path) -> None:
    result = _run("evaluate", tmp_path / "nothing", data)
    assert result.exit_code == 2
    assert "expected a RUN folder" in result.stderr
