"""`steelsight shortcuts find`: a page and numbers for a small run, code 2 for what cannot be searched."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.training.recipe_files import load_recipe
from steelsight.training.run import train_run

SMALL = (
    "model.name=adhoc",
    "height=48",
    "width=64",
    "batch_size=8",
    "max_epochs=1",
    "threads=1",
    "precision=fp32",
    "split.method=stratified",
)


@pytest.fixture(scope="module")
def run_and_data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    rng = np.random.default_rng(0)
    data, run = tmp_path_factory.mktemp("mill"), tmp_path_factory.mktemp("runs") / "run"
    for kind in ("good", "bar"):
        (data / kind).mkdir()
        for number in range(12):
            gray = rng.normal(rng.uniform(90, 130), 10, (48, 64))
            if kind == "bar":
                gray[8:40, 20:24] = 240
            Image.fromarray(gray.clip(0, 255).astype(np.uint8)).save(data / kind / f"{kind}{number}.png")
    train_run(data, recipe=load_recipe("default", SMALL), out=run)
    return run, data


def test_find_writes_a_page_and_prints_its_numbers(run_and_data: tuple[Path, Path], tmp_path: Path) -> None:
    run, data = run_and_data
    arguments = ["shortcuts", "find", str(run), str(data), "--split", "train", "--segments", "grid"]
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "out"), "--json"])
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout.strip().splitlines()[-1])
    assert printed["split"] == "train"
    assert {"exposure", "checker", "file_size"} <= {each["key"] for each in printed["candidates"]}
    assert any("sheet end: black beyond the steel" in note for note in printed["notes"])  # there is none
    assert any("defective sheets have no mask" in note for note in printed["notes"])
    written = json.loads((tmp_path / "out" / "shortcuts.json").read_text())["find"]
    assert written["candidates"] == printed["candidates"]
    assert (tmp_path / "out" / "shortcuts.html").is_file()
    told, listed = " ".join(done.output.split()), len(printed["candidates"])
    compared = re.search(r"comparing (\d+) of (\d+) candidates", told)
    left_out = re.search(r"(\d+) of (\d+) candidates are not compared", " ".join(printed["notes"]))
    assert compared is not None
    assert left_out is not None
    assert int(compared[1]) == listed == int(compared[2]) - int(left_out[1])
    assert left_out[2] == compared[2]
    assert f"the first 10 of {listed} candidates" in told


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--split", "all"], "trained run"),
        (["--segments", "circles"], "segments: expected one of slic"),
        (["--groups", "colour"], "groups 'colour'"),
    ],
)
def test_bad_input_ends_with_code_2(
    run_and_data: tuple[Path, Path], tmp_path: Path, options: list[str], message: str
) -> None:
    run, data = run_and_data
    done = CliRunner().invoke(
        app, ["shortcuts", "find", str(run), str(data), "--out", str(tmp_path), *options]
    )
    assert done.exit_code == 2
    assert message in done.output


def test_a_run_that_does_not_exist(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["shortcuts", "find", str(tmp_path / "none"), str(tmp_path)])
    assert done.exit_code == 2
    assert "expected a RUN folder" in done.output
