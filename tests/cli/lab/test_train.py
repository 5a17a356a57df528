"""`steelsight train` as a person and as a program run it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from steelsight.cli import app

QUICK = ("--model", "adhoc", "--epochs", "1", "--set", "height=48", "--set", "width=64", "--set", "threads=1")


def _run(*arguments: Any) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Ten sheets of two classes, two a tile."""
    rng = np.random.default_rng(0)
    for number in range(20):
        path = (
            tmp_path
            / "DATA"
            / ("crack" if number % 2 else "good")
            / f"exp1_num_{500 * (number // 4) + number % 4}.png"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (48, 64), dtype=np.uint8)).save(path)
    return tmp_path / "DATA"


@pytest.fixture
def train(data: Path, tmp_path: Path) -> Callable[..., Result]:
    return lambda *more: _run("train", data, "--out", tmp_path / "run", *QUICK, *more)


def test_train_prints_lines_for_people_and_json_for_programs(
    train: Callable[..., Result], tmp_path: Path
) -> None:
    result = train("--task", "binary", "--seed", 3, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout.splitlines()[-1])
    assert found["run"] == str(tmp_path / "run")
    assert found["task"] == "binary"
    assert found["seed"] == 3
    assert len(found["training"]["history"]) == 1
    assert 0 <= found["test"]["accuracy"]["estimate"] <= 1
    assert "epoch   1 *" in result.stderr
    assert "balanced accuracy" in result.stderr
    assert (tmp_path / "run" / "report.html").is_file()


def test_without_a_terminal_there_are_plain_lines_only(train: Callable[..., Result]) -> None:
    assert "\x1b" not in train().stderr


def test_a_second_train_says_it_is_finished_and_fresh_repeats_it(train: Callable[..., Result]) -> None:
    assert train().exit_code == 0
    again = train()
    assert again.exit_code == 0
    assert "finished already" in again.stderr
    other = train("--set", "batch_size=3")
    assert other.exit_code == 2
    assert "--fresh" in other.stderr
    assert train("--set", "batch_size=3", "--fresh").exit_code == 0


def test_folds(train: Callable[..., Result], tmp_path: Path) -> None:
    result = train("--folds", 2, "--repeats", 2, "--groups", "frames:10", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout.splitlines()[-1])
    assert (found["folds"], found["repeats"], found["pooled"]["sheets"]) == (2, 2, 40)
    assert "fold 4 of 4" in result.stderr
    assert (tmp_path / "run" / "fold-1-1" / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--set", "learning_rte=1"), "did you mean optimiser.learning_rate?"),
        (("--recipe", "best"), "aug_vgg16 or a TOML file"),
        (("--task", "ternary"), "task"),
        (("--model", "resnet"), "squeezenet_reduced"),
        (("--groups", "colour"), "expected"),
        (("--folds", 99), "class"),
    ],
)
def test_bad_options_exit_with_2(
    train: Callable[..., Result], options: tuple[Any, ...], message: str
) -> None:
    result = train(*options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_bad_items_need_leave(data: Path, train: Callable[..., Result]) -> None:
    (data / "good" / "half.jpg").write_bytes(b"\xff\xd8\xff")
    refused = train()
    assert refused.exit_code == 2
    assert "good/half.jpg" in refused.stderr
    assert "--allow-bad 1" in refused.stderr
    assert train("--allow-bad", 1).exit_code == 0


def test_another_folder_tests_what_this_one_trained(
    train: Callable[..., Result], data: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(1)
    for name in ("good", "crack"):
        (tmp_path / "OTHER" / name).mkdir(parents=True)
        for number in range(4):
            gray = rng.integers(0, 255, (48, 64), dtype=np.uint8)
            Image.fromarray(gray).save(tmp_path / "OTHER" / name / f"{number}.png")
    result = train("--test", tmp_path / "OTHER", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout.splitlines()[-1])
    assert found["test"] is None
    assert found["data"]["parts"] == {"train": 16, "validation": 4}
    assert found["tested_on"]["report"]["sheets"] == 8
    assert "sheets of OTHER: 8" in result.stderr
    twice = train("--test", tmp_path / "OTHER", "--folds", 2, "--fresh")
    assert twice.exit_code == 2
    assert "expected one way to test, got --folds too" in twice.stderr.replace("\n", " ")
    missing = train("--test", tmp_path / "NOWHERE", "--out", tmp_path / "second")
    assert missing.exit_code == 2
    assert not (tmp_path / "second").exists()  # before the training


def test_every_sheet_trains_and_the_folds_give_the_figures(
    train: Callable[..., Result], tmp_path: Path
) -> None:
    result = train("--all", "--folds", 2, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout.splitlines()[-1])
    assert found["data"]["parts"] == {"train": 20}
    assert found["test"] is None
    assert found["cross_validation"]["pooled"]["sheets"] == 20
    assert (tmp_path / "run" / "folds" / "metrics.json").is_file()
    assert "out-of-fold sheets: 20" in result.stderr
    other = train("--all", "--folds", 2, "--seed", 5)
    assert other.exit_code == 2
    assert "holds a finished training with another split or seed" in other.stderr.replace("\n", " ")
    assert train("--all", "--folds", 2).exit_code == 0  # the same again
