"""`steelsight data` as a person runs it: it finishes, says everything, exits with 2 unless all is well."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from steelsight.cli.boundary import exit_on_error
from steelsight.cli.data.data import data


@pytest.fixture
def run() -> Callable[..., Result]:
    app = typer.Typer()

    @app.callback()
    def main() -> None: ...

    app.command("data")(data)

    def go(*arguments: Any) -> Result:
        with exit_on_error():
            return CliRunner().invoke(app, ["data", *map(str, arguments)])

    return go


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four good sheets of two classes."""
    rng = np.random.default_rng(0)
    for place in ("good/a.png", "good/b.png", "crack/c.jpg", "crack/d.jpg"):
        path = tmp_path / "DATA [1]" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (20, 30), dtype=np.uint8)).save(path)
    return tmp_path / "DATA [1]"


def test_a_clean_folder(folder: Path, run: Callable[..., Result]) -> None:
    result = run(folder, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout.splitlines()[-1])
    assert found["sheets"] == 4
    assert [(c["name"], c["sheets"]) for c in found["classes"]] == [("none", 2), ("crack", 2)]
    assert found["sizes"] == [{"height": 20, "width": 30, "sheets": 4}]
    assert found["set_aside"] == []
    assert "DATA [1]: 4 sheets" in result.stderr.replace("\n", "")


def test_everything_bad_is_listed_and_the_rest_is_described(folder: Path, run: Callable[..., Result]) -> None:
    (folder / "good" / "zero.jpg").touch()
    (folder / "good" / "text.jpg").write_text("hello")
    (folder / "crack" / "notes.txt").write_text("hello")
    (folder / "empty class").mkdir()
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    Image.fromarray(np.zeros((5, 5), dtype=np.uint8)).save(folder / "crack" / "c.png")
    frames = [Image.fromarray(np.full((8, 8), level, dtype=np.uint8)) for level in (0, 100)]
    frames[0].save(folder / "good" / "moving.gif", save_all=True, append_images=frames[1:])
    result = run(folder, "--json")
    assert result.exit_code == 2
    found = json.loads(result.stdout.splitlines()[-1])
    reasons = {entry["id"]: entry["reason"] for entry in found["set_aside"]}
    assert set(reasons) == {
        "good/zero.jpg",
        "good/text.jpg",
        "good/moving.gif",
        "crack/",
        "empty class/",
        "loop/",
        "crack/c.jpg",
    }
    assert found["sheets"] == 3
    for id_, reason in reasons.items():
        assert f"{id_}: {reason}" in result.stderr


def test_a_folder_where_nothing_is_usable(tmp_path: Path, run: Callable[..., Result]) -> None:
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "a.jpg").touch()
    result = run(tmp_path, "--out", tmp_path / "out", "--json")
    assert result.exit_code == 2
    found = json.loads(result.stdout.splitlines()[-1])
    assert found["sheets"] == 0
    assert found["set_aside"][0]["reason"].startswith("the file is empty")
    assert (tmp_path / "out" / "data.html").exists()


def test_a_folder_that_cannot_be_opened(tmp_path: Path, run: Callable[..., Result]) -> None:
    result = run(tmp_path / "gone")
    assert "gone: expected a DATA folder, found none at" in str(result.exception)


def test_the_report(folder: Path, tmp_path: Path, run: Callable[..., Result]) -> None:
    Image.open(folder / "crack" / "d.jpg").resize((33, 22)).save(folder / "crack" / "e.jpg")
    Image.open(folder / "good" / "a.png").save(folder / "good" / "again.png")
    result = run(folder, "--out", tmp_path / "out", "--groups", "duplicates", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout.splitlines()[-1])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(found["files"])
    assert {
        "data.html",
        "data.json",
        "distribution.png",
        "sizes.png",
        "examples.png",
        "duplicates.png",
    } == set(found["files"])
    assert ("good/a.png", "good/again.png", False) in {
        (pair["left"], pair["right"], pair["parted"]) for pair in found["near_duplicates"]
    }
    written = json.loads((tmp_path / "out" / "data.json").read_text())
    assert written["data_hash"] == found["data_hash"]
    assert written["near_duplicates"] == found["near_duplicates"]
    page = (tmp_path / "out" / "data.html").read_text()
    assert "<script" not in page
    assert 'src="http' not in page
    assert page.count("data:image/png;base64,") == 4


def test_near_duplicates_in_several_groups_come_with_the_remedy(
    folder: Path, run: Callable[..., Result]
) -> None:
    Image.open(folder / "good" / "a.png").save(folder / "good" / "again.png")
    assert "in one part of the split, give --groups duplicates" in run(folder).stderr
    rows = ("ImageId,coil", "good/a.png,1", "good/b.png,1", "good/again.png,2", "crack/c.jpg,3")
    (folder / "groups.csv").write_text("\n".join(rows))
    grouped = run(folder, "--groups", "column:coil")
    assert "in one part of the split, join +duplicates to the rule of --groups" in grouped.stderr
    (folder / "groups.csv").write_text("ImageId,coil\ngood/a.png,1\ngood/again.png,1\n")
    together = run(folder, "--groups", "column:coil")
    assert "0 of them not in one group" in together.stderr
    assert "in one part of the split" not in together.stderr


def test_groups(folder: Path, run: Callable[..., Result]) -> None:
    (folder / "groups.csv").write_text("ImageId,coil\ngood/a.png,1\ngood/b.png,1\n")
    result = run(folder, "--groups", "column:coil", "--json")
    found = json.loads(result.stdout.splitlines()[-1])
    assert found["groups"] == 3
    assert "expected column:NAME" in str(run(folder, "--groups", "tiles").exception)


@pytest.mark.realdata
def test_real_data(data_root: Path, tmp_path: Path, run: Callable[..., Result]) -> None:
    result = run(data_root / "severstal", "--out", tmp_path, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout.splitlines()[-1])["sheets"] == 48


def test_equal_pixels_of_two_classes_are_no_success(folder: Path, run: Callable[..., Result]) -> None:
    names = sorted(path for path in folder.iterdir() if path.is_dir())
    first = sorted(names[0].glob("*.*"))[0]
    shutil.copy(first, names[1] / f"copy{first.suffix}")
    done = run(folder)
    assert done.exit_code == 2
    assert "contradictory labels: 1 pairs" in done.output
    assert run(folder, "--allow-bad", 1).exit_code == 0
    (names[1] / f"copy{first.suffix}").unlink()
    shutil.copy(first, names[0] / f"copy{first.suffix}")  # the same class: nothing is wrong
    assert run(folder).exit_code == 0
