"""`inspect neurons` from the command line: an atlas of a small run, two runs, bad input."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from steelsight.cli import app
from steelsight.training.recipe_files import load_recipe
from steelsight.training.run import train_run

RECIPE = (
    "model.name=adhoc",
    "height=48",
    "width=64",
    "batch_size=4",
    "max_epochs=1",
    "threads=1",
    "precision=fp32",
    "split.method=stratified",
)
QUICK = ("--count", 1, "--steps", 3, "--form", "plain", "--split", "unseen")


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["inspect", *map(str, arguments)])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "mill"
    rng = np.random.default_rng(0)
    for kind in ("free", "patch"):
        (root / kind).mkdir(parents=True)
        for number in range(10):
            gray = rng.normal(120, 10, (48, 64))
            if kind == "patch":
                gray[10:40, 20:40] = 220
            pixels = np.clip(gray, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / kind / f"{kind}{number}.png")
    return root


@pytest.fixture(scope="module")
def runs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    out = [tmp_path_factory.mktemp("run") / task for task in ("binary", "multiclass")]
    for folder in out:
        train_run(data, recipe=load_recipe("default", [*RECIPE, f"task={folder.name}"]), out=folder)
    return out


def test_an_atlas_with_another_run(runs: list[Path], data: Path, tmp_path: Path) -> None:
    result = invoke(
        "neurons", runs[0], data, *QUICK, "--layer", "features.1", "--layer", "features.7",
        "--with", runs[1], "--out", tmp_path / "out", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout.splitlines()[-1])
    assert [layer["layer"] for layer in told["layers"]] == ["features.1", "features.7"]
    assert len(told["with"]["neurons"]) == 2
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "neurons.html",
        "neurons.json",
        "figures",
    }
    names = {path.name for path in (tmp_path / "out" / "figures").iterdir()}
    assert names == {"atlas.png", "twins.png"}
    on_disk = json.loads((tmp_path / "out" / "neurons.json").read_text())
    assert on_disk["layers"] == told["layers"]
    assert on_disk["chapters"][0]["id"] == "atlas"


def test_both_forms_of_one_neuron_from_a_sheet(runs: list[Path], data: Path, tmp_path: Path) -> None:
    sheet = data / "patch" / "patch0.png"
    result = invoke(
        "neurons", runs[0], data, "--neuron", "features.1:3", "--steps", 3, "--kernel", 3, "--split",
        "unseen", "--start", sheet, "--out", tmp_path, "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout.splitlines()[-1])
    (neuron,) = told["layers"][0]["neurons"]
    assert neuron["neuron"] == "features.1:3"
    assert neuron["blur"] == 3
    assert neuron["achieved_grown"] is not None
    assert (tmp_path / "figures" / "growth.png").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ("--layer", "features.99"),
            2,
            "SheetClassifier has none of that name",
        ),
        (("--neuron", "foo:1"), 2, "--neuron: layer 'foo'"),
        (("--neuron", "features.1:99"), 2, "the layer has 32 channels, 0 to 31, got 99"),
        (("--neuron", "features.1"), 2, "expected LAYER:CHANNEL or LAYER:CHANNEL@ROW,COLUMN"),
        (("--neuron", "features.1:2@5"), 2, "expected LAYER:CHANNEL or LAYER:CHANNEL@ROW,COLUMN"),
        (("--split", "tset"), 2, "split: expected one of train, validation, test or unseen, got 'tset'"),
        (("--precision", "int8"), 2, "precision: expected fp32 or bf16, got 'int8'"),
        (("--layer", "head", "--with", "ITSELF"), 2, "expected neurons of a layer both models have"),
    ],
)
def test_bad_input(
    runs: list[Path], data: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    given = [runs[0] if each == "ITSELF" else each for each in arguments]
    result = invoke("neurons", runs[0], data, *QUICK, *given, "--out", tmp_path)
    assert result.exit_code == code
    assert message in " ".join(result.output.split())


def test_an_unknown_layer_is_refused_before_data_is_read(runs: list[Path], tmp_path: Path) -> None:
    result = invoke("neurons", runs[0], tmp_path / "no DATA", "--layer", "foo", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "--layer: layer 'foo'" in " ".join(result.output.split())


def test_a_folder_that_is_no_run(data: Path, tmp_path: Path) -> None:
    result = invoke("neurons", tmp_path, data)
    assert result.exit_code == 2
