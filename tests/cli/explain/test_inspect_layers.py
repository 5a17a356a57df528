"""`inspect layers` from the command line: a run, its files, bad input."""

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
    "model.head=study",
    "model.pooling=average",
    "height=48",
    "width=64",
    "batch_size=4",
    "max_epochs=1",
    "threads=1",
    "precision=fp32",
    "split.method=stratified",
    "task=multiclass",
)


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["inspect", "layers", *map(str, arguments)])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Plain sheets, and two types of defect."""
    root = tmp_path_factory.mktemp("data") / "mill"
    rng = np.random.default_rng(0)
    for kind, width in (("free", 0), ("crack", 4), ("patch", 20)):
        (root / kind).mkdir(parents=True)
        for number in range(10):
            gray = np.clip(rng.normal(120, 10, (60, 80)), 0, 255).astype(np.uint8)
            left = int(rng.integers(2, 50))
            gray[10:40, left : left + width] = 20
            Image.fromarray(gray).save(root / kind / f"{kind}{number}.jpg", quality=95)
    return root


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    train_run(data, recipe=load_recipe("default", RECIPE), out=out)
    return out


def test_a_run_is_looked_into(run: Path, data: Path, tmp_path: Path) -> None:
    result = invoke(run, data, "--layers", "features.2,head.linear3", "--out", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout.splitlines()[-1])
    assert [layer["name"] for layer in told["layers"]] == ["input", "features.2", "head.linear3"]
    assert {probe["network"] for probe in told["layers"][0]["probes"]} == {"trained", "random", "shuffled"}
    assert set(told["missing_controls"]) == {"imagenet"}, "the ad-hoc network has no ImageNet weights"
    assert (told["fitted_sheets"], told["judging_sheets"]) == (18, 6)
    assert told["tsne"]["perplexity"] == pytest.approx(5 / 3)
    names = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*")}
    assert names == {
        "report.html",
        "report.json",
        "layers.json",
        "figures",
        "figures/layers.png",
        "figures/tsne.png",
    }
    on_disk = json.loads((tmp_path / "out" / "layers.json").read_text())
    assert on_disk["layers"] == told["layers"]
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    figures = [b["id"] for part in report["chapters"] for b in part["blocks"] if b["kind"] == "figure"]
    assert figures == ["layer-probes", "layer-maps"]


def test_maps_and_controls_can_be_left_out(run: Path, data: Path, tmp_path: Path) -> None:
    options = ("--layers", "features.2", "--tsne", 0, "--controls", "shuffled", "--out", tmp_path)
    result = invoke(run, data, *options, "--fit", "validation", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout.splitlines()[-1])
    assert told["tsne"] is None
    assert {probe["network"] for probe in told["layers"][0]["probes"]} == {"trained", "shuffled"}
    assert not (tmp_path / "figures" / "tsne.png").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--fit", "test"), "expected two parts without a common sheet"),
        (("--split", "tset"), "split: expected one of train, validation, test or unseen"),
        (("--controls", "magic"), "controls: expected some of imagenet, random, shuffled"),
        (("--sheets", 3), "expected at least two a class, 6, got 3"),
        (("--perplexity", 50), "perplexity: expected at least 1 and below the number of sheets, 6, got 50"),
    ],
)
def test_bad_options_are_refused(
    run: Path, data: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    result = invoke(run, data, "--out", tmp_path, *options)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert not list(tmp_path.iterdir()), "refused before anything is written"


def test_an_unknown_layer_lists_those_there_are(run: Path, tmp_path: Path) -> None:
    result = invoke(run, tmp_path / "no DATA", "--layers", "features.99")  # refused before DATA is read
    assert result.exit_code == 2
    assert "has none of that name; it has features, features.0" in " ".join(result.output.split())


def test_a_folder_without_a_run_is_refused(data: Path, tmp_path: Path) -> None:
    result = invoke(tmp_path, data)
    assert result.exit_code == 2
    assert "error BadCheckpoint" in result.output
